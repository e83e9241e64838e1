/**
 * What the leading tab does for all tabs: it owns the swarm worker, the tracker socket and every peer connection, and
 * moves data channels to the worker in the task that makes them. In HTTP-only mode the worker wishes for no swarm, and
 * then neither a socket nor a connection is ever made.
 */
import type { SwarmWish } from '../../../src/adapters/browser/link-messages.ts';
import { Meeting, type MeetingPlace } from '../../../src/adapters/page/meeting.ts';
import { reconnectPauseMs } from '../../../src/adapters/page/tracker-socket.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { Unavailable } from '../../../src/base/errors.ts';
import type { SwarmKey } from '../../../src/base/ids.ts';
import type { Log } from '../../../src/base/log.ts';
import { sleep, TaskGroup } from '../../../src/base/tasks.ts';
import { MINUTE_MS } from '../../../src/base/units.ts';
import { createPeerId } from '../../../src/codec/peer-id.ts';
import { latinIdOf } from '../../../src/codec/tracker-ws.ts';
import type { PageMessage, WorkerReport } from './page-protocol.ts';
import type { StreamOffer } from './stream-protocol.ts';
import type { SwarmServer } from './types.ts';

const STOP_TIMEOUT_MS = 1_500;
/** Relay credentials expire. */
const RELOAD_MS = 10 * MINUTE_MS;
/** Before the server has said where; nobody is asked then. */
const NOWHERE: MeetingPlace = { trackerUrl: '', iceServers: [] };

export interface LeaderParts {
  readonly worker: Worker;
  readonly clock: Clock;
  readonly log: Log;
  readonly loadServer: () => Promise<SwarmServer>;
  /** The worker broke; nothing works any more. */
  readonly failed: () => void;
}

export class Leader {
  readonly #parts: LeaderParts;
  readonly #tasks: TaskGroup;
  readonly #ownId = latinIdOf(createPeerId());
  readonly #wishes = new Map<SwarmKey, SwarmWish>();
  readonly #meeting: Meeting;
  readonly #started = Promise.withResolvers<void>();
  readonly #stopped = Promise.withResolvers<void>();
  #server: SwarmServer | undefined;
  #isLoading = false;
  #isStarted = false;

  constructor(parts: LeaderParts) {
    this.#parts = parts;
    const { clock, log } = parts;
    this.#tasks = new TaskGroup(log);
    this.#meeting = new Meeting({
      clock,
      log,
      random: Math.random,
      ownId: this.#ownId,
      place: () => this.#server ?? NOWHERE,
      tell: (message, transfer) => this.#tell(message, transfer),
      changed: (status) => this.#tell({ kind: 'tracker', ...status }),
    });
  }

  /** Resolves when the worker serves. @throws Unavailable when it cannot start */
  start(): Promise<void> {
    const { worker } = this.#parts;
    worker.addEventListener('message', ({ data }: MessageEvent<WorkerReport>) => this.#hear(data));
    worker.addEventListener('error', ({ message }) => {
      // One broken message does not end a worker that runs; one that never started is no use.
      if (this.#isStarted) this.#parts.log.error('swarm-worker.error', { message });
      else this.#failed(message);
    });
    globalThis.addEventListener('online', this.#online);
    this.#tell({ kind: 'start', peerId: this.#ownId });
    return this.#started.promise;
  }

  /** Passes a stream of the service worker on. */
  stream(offer: StreamOffer): void {
    this.#parts.worker.postMessage(offer, [offer.port]);
  }

  /** Leaves every swarm and lets the worker save; at most 1.5 s. */
  async stop(): Promise<void> {
    globalThis.removeEventListener('online', this.#online);
    this.leave();
    this.#tell({ kind: 'stop' });
    await Promise.race([this.#stopped.promise, sleep(this.#parts.clock, STOP_TIMEOUT_MS)]);
    this.#parts.worker.terminate();
    await this.#tasks.stop();
  }

  /** Says goodbye to trackers and peers; for `pagehide`, where nothing can be awaited. */
  leave(): void {
    this.#wishes.clear();
    this.#meeting.close();
  }

  readonly #online = (): void => this.#meeting.retryNow();

  #tell(message: PageMessage, transfer: Transferable[] = []): void {
    this.#parts.worker.postMessage(message, transfer);
  }

  #hear(message: WorkerReport): void {
    switch (message.kind) {
      case 'started':
        this.#isStarted = true;
        return this.#started.resolve();
      case 'wish':
        return this.#wish(message.key, message.wish);
      case 'leave':
        return this.#leave(message.key);
      case 'failed':
        return this.#failed(message.reason);
      case 'link-done':
        return this.#meeting.linkDone(message.link);
      case 'stopped':
        return this.#stopped.resolve();
    }
  }

  #failed(reason: string): void {
    this.#parts.log.error('swarm-worker.failed', { reason });
    this.leave();
    this.#parts.worker.terminate();
    this.#started.reject(new Unavailable('the swarm worker failed', { reason }));
    this.#parts.failed();
  }

  #wish(key: SwarmKey, wish: SwarmWish): void {
    this.#wishes.set(key, wish);
    if (this.#server === undefined) return this.#load();
    this.#meeting.wish(key, wish);
  }

  #leave(key: SwarmKey): void {
    this.#wishes.delete(key);
    this.#meeting.leave(key);
  }

  /** Asks the server where its tracker is, until it answers; then follows the wishes made meanwhile. */
  #load(): void {
    if (this.#isLoading) return;
    this.#isLoading = true;
    const { clock, loadServer } = this.#parts;
    this.#tasks.run('server.load', async (signal) => {
      for (let failures = 0; this.#server === undefined && !signal.aborted; failures++) {
        this.#server = await loadServer().catch(() => undefined);
        if (this.#server === undefined) await sleep(clock, reconnectPauseMs(failures, Math.random()), signal);
      }
      for (const [key, wish] of this.#wishes) this.#wish(key, wish);
    });
    this.#tasks.every('server.reload', RELOAD_MS, clock, async () => {
      this.#server = await loadServer();
    });
  }
}
