/**
 * What the leading tab does for all tabs: it owns the swarm worker, the tracker socket and every peer connection, and
 * moves data channels to the worker in the task that makes them. In HTTP-only mode the worker wishes for no swarm, and
 * then neither a socket nor a connection is ever made.
 */
import { relayChannel } from '../../../src/adapters/browser/relayed-channel.ts';
import { randomBytes } from '../../../src/base/bytes.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { Unavailable } from '../../../src/base/errors.ts';
import type { SwarmKey } from '../../../src/base/ids.ts';
import type { Log } from '../../../src/base/log.ts';
import { sleep, TaskGroup } from '../../../src/base/tasks.ts';
import { MIB, MINUTE_MS } from '../../../src/base/units.ts';
import { createPeerId } from '../../../src/codec/peer-id.ts';
import { latinIdOf } from '../../../src/codec/tracker-ws.ts';
import type { LinkId, PageMessage, SwarmWish, WorkerReport } from './page-protocol.ts';
import { PeerLinks } from './peer-links.ts';
import { Rendezvous } from './rendezvous.ts';
import { RtcLink } from './rtc-link.ts';
import type { StreamOffer } from './stream-protocol.ts';
import { reconnectPauseMs, TrackerSocket } from './tracker-socket.ts';
import type { SwarmServer } from './types.ts';

const STOP_TIMEOUT_MS = 1_500;
/** Relay credentials expire. */
const RELOAD_MS = 10 * MINUTE_MS;
const RELAY_RESUME_BYTES = MIB;
const OFFER_ID_BYTES = 20;

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
  readonly #links: PeerLinks;
  readonly #tracker: TrackerSocket;
  readonly #rendezvous: Rendezvous;
  readonly #started = Promise.withResolvers<void>();
  readonly #stopped = Promise.withResolvers<void>();
  #server: SwarmServer | undefined;
  #isLoading = false;
  #isStarted = false;

  constructor(parts: LeaderParts) {
    this.#parts = parts;
    const { clock, log } = parts;
    this.#tasks = new TaskGroup(log);
    const ownId = this.#ownId;
    this.#links = new PeerLinks({
      clock,
      log,
      ownId,
      newOfferId: () => latinIdOf(randomBytes(OFFER_ID_BYTES)),
      connect: (events) => new RtcLink(this.#server?.iceServers ?? [], events, clock),
      deliver: (link, key, channel) => this.#deliver(link, key, channel),
      ended: (link) => this.#tell({ kind: 'link-ended', link }),
      sendAnswer: (swarmKey, toPeerId, offerId, sdp) =>
        this.#tracker.send({ type: 'answer', swarmKey, peerId: ownId, toPeerId, offerId, sdp }),
      sendCandidate: (swarmKey, toPeerId, offerId, candidate) =>
        this.#tracker.send({
          type: 'candidate',
          swarmKey,
          peerId: ownId,
          offerId,
          candidate,
          ...(toPeerId !== undefined && { toPeerId }),
        }),
      changed: () => this.#tellStatus(),
    });
    this.#tracker = new TrackerSocket({
      clock,
      log,
      random: Math.random,
      connect: () => new WebSocket(this.#server?.trackerUrl ?? ''),
      opened: () => this.#rendezvous.connected(),
      received: (message) => this.#rendezvous.receive(message),
      changed: () => {
        if (this.#tracker.state !== 'connected') this.#rendezvous.disconnected();
        this.#tellStatus();
      },
    });
    this.#rendezvous = new Rendezvous({
      clock,
      random: Math.random,
      ownId,
      links: this.#links,
      send: (message) => void this.#tracker.send(message),
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
    this.#rendezvous.leaveAll();
    this.#tracker.stop();
    this.#links.closeAll();
  }

  readonly #online = (): void => this.#tracker.retryNow();

  #tell(message: PageMessage, transfer: Transferable[] = []): void {
    this.#parts.worker.postMessage(message, transfer);
  }

  #tellStatus(): void {
    this.#tell({ kind: 'tracker', tracker: this.#tracker.state, connections: this.#links.openLinks });
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
        return this.#links.close(message.link);
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
    this.#tracker.start();
    this.#rendezvous.wish(key, wish);
  }

  #leave(key: SwarmKey): void {
    this.#wishes.delete(key);
    this.#rendezvous.leave(key);
    if (this.#rendezvous.isEmpty) this.#tracker.stop();
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

  #deliver(link: LinkId, key: SwarmKey, channel: RTCDataChannel): void {
    try {
      this.#tell({ kind: 'channel', link, key, channel }, [channel]);
    } catch (error) {
      // This browser cannot transfer channels: the page passes their messages on.
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
      const { port1, port2 } = new MessageChannel();
      relayChannel(channel, port1, RELAY_RESUME_BYTES);
      this.#tell({ kind: 'relay', link, key, port: port2 }, [port2]);
    }
  }
}
