/**
 * The page's half: meets peers for the engine in the worker, because only pages have RTCPeerConnection. Seeding lasts as
 * long as the page is open. Nothing is contacted but the tracker it is given and the peers that tracker names.
 */
import { Meeting, type MeetingStatus } from '../../adapters/page/meeting.ts';
import { systemClock } from '../../base/clock.ts';
import { type Log, silentLog } from '../../base/log.ts';
import type { LatinId } from '../../codec/tracker-ws.ts';
import { type FromWorker, fromWorker, sealed } from './messages.ts';

/** What the page's half is made from. */
export interface PageSwarmOptions {
  /** Runs a `WorkerSwarm`. The program may exchange messages of its own with it. */
  readonly worker: Worker;
  /** WebSocket tracker, `ws:` or `wss:`. */
  readonly trackerUrl: string;
  /** STUN and TURN servers; default none: peers on this machine and this network. */
  readonly iceServers?: readonly RTCIceServer[];
  /** Default: nothing is logged. */
  readonly log?: Log;
}

/** Brings peers to the `WorkerSwarm` in the page's worker, from one tracker. */
export class PageSwarm implements Disposable {
  readonly #options: PageSwarmOptions;
  readonly #listening = new AbortController();
  #meeting: Meeting | undefined;
  #status: MeetingStatus = { tracker: 'off', connections: 0 };

  /** In the task that makes the worker: what it says first must not be missed. */
  constructor(options: PageSwarmOptions) {
    this.#options = options;
    const { signal } = this.#listening;
    const hear = ({ data }: MessageEvent<unknown>): void => this.#hear(fromWorker(data));
    options.worker.addEventListener('message', hear, { signal });
    globalThis.addEventListener('online', () => this.#meeting?.retryNow(), { signal });
    // Nothing can be awaited then; peers and tracker learn of it all the same.
    globalThis.addEventListener('pagehide', () => this.#meeting?.close(), { signal });
  }

  /** Of this moment: the tracker's state and the number of peers connected. */
  get status(): MeetingStatus {
    return this.#status;
  }

  /** Leaves all swarms and closes all connections. The worker keeps what it holds. */
  close(): void {
    this.#listening.abort();
    this.#meeting?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #hear(message: FromWorker | undefined): void {
    switch (message?.kind) {
      case 'hello':
        this.#meeting = this.#createMeeting(message.peerId);
        return;
      case 'wish':
        return this.#meeting?.wish(message.key, message.wish);
      case 'leave':
        return this.#meeting?.leave(message.key);
      case 'link-done':
        return this.#meeting?.linkDone(message.link);
      case undefined:
        return;
    }
  }

  #createMeeting(ownId: LatinId): Meeting {
    const { worker, trackerUrl, iceServers = [], log = silentLog } = this.#options;
    return new Meeting({
      clock: systemClock,
      log,
      random: Math.random,
      ownId,
      place: () => ({ trackerUrl, iceServers }),
      tell: (message, transfer = []) => worker.postMessage(sealed(message), transfer),
      changed: (status) => {
        this.#status = status;
      },
    });
  }
}
