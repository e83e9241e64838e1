/**
 * The server's own seeder: stored blobs as torrents, awake only while somebody wants them. A torrent is a row until a
 * handshake, an announce or an offer asks for it; it is then served straight from the blob store, without hashing, and
 * goes back to sleep when it has been idle. Invariants: nothing is served whose row or bytes are gone; bytes that were
 * found wrong are reported and stay unserved; never more torrents are awake or waking than allowed; after `stop` nothing
 * runs.
 */
import { parseIp, type PeerAddress } from '../base/address.ts';
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Emitter } from '../base/emitter.ts';
import { endInTurn, endTogether } from '../base/endings.ts';
import { AppError, Unavailable } from '../base/errors.ts';
import type { Sha256, SwarmKey } from '../base/ids.ts';
import { swarmKeyOf } from '../base/ids.ts';
import { Lane } from '../base/lane.ts';
import type { Log } from '../base/log.ts';
import { sleep, TaskGroup } from '../base/tasks.ts';
import { MINUTE_MS, SECOND_MS } from '../base/units.ts';
import { canonicalInfo } from '../codec/canonical.ts';
import { parseTorrentInfo } from '../codec/torrent-info.ts';
import type { BlobReader } from '../store/blobs.ts';
import type { Engine, EngineOptions, Hasher, Torrent } from '../torrent/index.ts';
import { AddressBudget } from '../tracker/address-budget.ts';
import type { AnswerSink, Answering, OwnAnswerer, OwnSeed, RemoteOffer } from '../tracker/ports.ts';
import { BlobStorage } from './blob-storage.ts';
import type { MediaEvents, TorrentRow, Verification } from './medium.ts';
import { Sampler } from './sampler.ts';
import { samplePieces } from './sampling.ts';

const IDLE_MS = 5 * MINUTE_MS;
const SWEEP_MS = 30 * SECOND_MS;
/** How long a leecher gets to come by itself. */
const CALL_BACK_MS = 4 * SECOND_MS;
/** What all torrents share here; `docs/limits.md` has the reasons. */
export const SEEDING_CAPS = {
  /** Torrents, unless told otherwise. */
  awake: 2_000,
  wakes: { atOnce: 16, maxWaiting: 4_096 },
  /** Each connection reads one batch at a time, so there are never more than connections. */
  reads: { atOnce: 64, maxWaiting: 32_768 },
  /** Leechers we wait for. */
  callBacks: 500,
  /** Unknown torrents one IPv4 address or IPv6 /48 may ask our peer port for in a second; more are not looked up. */
  unknownPerSecond: 20,
} as const;
/** Peers whose address is hidden (WebRTC) share one budget. */
const HIDDEN = new Uint8Array(4);

/** What the seeder reads of `Media`. */
export interface SeedCatalogue {
  readonly events: Emitter<MediaEvents>;
  torrentByKey(key: SwarmKey): TorrentRow | undefined;
  /** The swarm of a served torrent by H('req2'‖info hash) in hex (MSE). */
  keyByObfuscated(obfuscatedKey: string): SwarmKey | undefined;
  /** Whether there is one, for less. */
  hasTorrent(key: SwarmKey): boolean;
  openBlob(sha256: Sha256): Promise<BlobReader | undefined>;
  /** Reads everything; a damaged blob is not served any more. */
  verify(sha256: Sha256, signal: AbortSignal): Promise<Verification>;
}

/** Answers WebRTC offers and hands the open streams to the engine; `closed` is called once, at the end of each. */
export interface OfferAnswerer {
  answer(offer: Pick<RemoteOffer, 'sdp' | 'trickle' | 'remoteHost'>, sink: AnswerSink & { closed(): void }): Answering;
}

/** How the engine finds torrents at rest for those who come for them. */
export type TorrentFinder = Required<Pick<EngineOptions, 'wake' | 'resolveObfuscated'>>;

export interface SeedingOptions {
  readonly media: SeedCatalogue;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly log: Log;
  /** Uniform in [0, 1): which pieces are sampled. */
  readonly random: () => number;
  /** Makes the engine that asks `finder` for torrents it does not run. */
  readonly createEngine: (finder: TorrentFinder) => Engine;
  /** Absent where WebRTC cannot be used. */
  readonly answerer?: OfferAnswerer;
  /** Where a peer at `remoteHost` reaches our peer port; undefined when it cannot. */
  readonly peerAddressFor: (remoteHost: string) => PeerAddress | undefined;
  /** Default 5 min. */
  readonly idleMs?: number;
  /** Torrents awake at once; default 2,000. */
  readonly maxAwake?: number;
}

interface Awake {
  readonly torrent: Torrent;
  readonly sha256: Sha256;
  /** Monotonic; moves on while peers are connected, or somebody reads. */
  usedAtMs: number;
}

export interface SeedingStats {
  /** Torrents the engine runs now. */
  readonly awake: number;
  readonly peers: number;
  /** Since the start. */
  readonly uploadedBytes: number;
  readonly uploadBytesPerSecond: number;
}

export class Seeding implements OwnSeed, OwnAnswerer {
  readonly engine: Engine;
  readonly #options: SeedingOptions;
  readonly #tasks: TaskGroup;
  /** Longest unused first. */
  readonly #awake = new Map<SwarmKey, Awake>();
  readonly #waking = new Map<SwarmKey, Promise<Torrent | undefined>>();
  /** Those that are being stopped; the engine has their keys until then. */
  readonly #fallingAsleep = new Map<SwarmKey, Promise<void>>();
  /** `key peerId` of browsers we are connected to or about to be. */
  readonly #browsers = new Set<string>();
  readonly #wakes = new Lane(SEEDING_CAPS.wakes);
  readonly #reads = new Lane(SEEDING_CAPS.reads);
  readonly #sampler: Sampler;
  /** Look-ups of torrents that are not here, by who asks. */
  readonly #strangers: AddressBudget;
  /** `key host` of leechers we wait for. */
  readonly #callers = new Set<string>();
  #finishedUploadBytes = 0;
  /** Wakes refused since the last sweep. */
  #refusedWakes = 0;
  #isStopped = false;

  constructor(options: SeedingOptions) {
    this.#options = options;
    this.#tasks = new TaskGroup(options.log);
    this.#sampler = new Sampler({
      tasks: this.#tasks,
      sample: (key, signal) => this.#sample(key, signal),
      failed: (key, error) => options.log.warn('seeding.sample_failed', { key, error }),
    });
    this.#strangers = new AddressBudget(SEEDING_CAPS.unknownPerSecond, options.clock);
    this.engine = options.createEngine({
      wake: (key, remote) => this.#wakeFor(remote, key),
      resolveObfuscated: (obfuscatedKey, remote) => this.#resolveFor(remote, obfuscatedKey),
    });
    options.media.events.on('removed', ({ infoHash }) => {
      if (infoHash !== undefined) this.#drop(swarmKeyOf(infoHash));
    });
    this.#tasks.every('seeding.sweep', SWEEP_MS, options.clock, () => this.#sweep());
  }

  get stats(): SeedingStats {
    let [peers, uploadedBytes, uploadBytesPerSecond] = [0, this.#finishedUploadBytes, 0];
    for (const { torrent } of this.#awake.values()) {
      const stats = torrent.stats();
      peers += stats.peers;
      uploadedBytes += stats.uploadedBytes;
      uploadBytesPerSecond += stats.uploadBytesPerSecond;
    }
    return { awake: this.#awake.size, peers, uploadedBytes, uploadBytesPerSecond };
  }

  /**
   * The running torrent of a stored blob, awake as long as it has peers or is read; undefined when there is none, its bytes are gone or wrong, or too many want to
   * wake at once. @throws StorageFailed
   */
  wake(key: SwarmKey): Promise<Torrent | undefined> {
    const awake = this.#awake.get(key);
    if (awake !== undefined) return Promise.resolve(awake.torrent);
    const waking = this.#waking.get(key);
    if (waking !== undefined) return waking;
    const started = this.#wakes.run(() => this.#wake(key));
    if (started === undefined) {
      this.#refusedWakes++;
      return Promise.resolve(undefined);
    }
    const settled = started.finally(() => this.#waking.delete(key));
    this.#waking.set(key, settled);
    return settled;
  }

  /**
   * Somebody told our tracker that they want this torrent, and perhaps where they listen. It wakes before they come, as
   * long as there is room that nobody needs more.
   */
  wanted(key: SwarmKey, address: PeerAddress | undefined): void {
    if (address !== undefined) this.#callBack(key, address);
    if (this.#awake.size + this.#waking.size >= this.#maxAwake / 2 || this.#awake.has(key)) return;
    this.#tasks.run('seeding.wanted', async () => void (await this.wake(key)));
  }

  addressFor(key: SwarmKey, remoteHost: string): PeerAddress | undefined {
    return this.#seeds(key) ? this.#options.peerAddressFor(remoteHost) : undefined;
  }

  answer(offer: RemoteOffer, sink: AnswerSink): Answering | undefined {
    const { answerer, log } = this.#options;
    const browser = `${offer.swarmKey} ${offer.peerId}`;
    if (answerer === undefined || this.#browsers.has(browser) || !this.#seeds(offer.swarmKey)) return undefined;
    try {
      const answering = answerer.answer(offer, {
        answer: (sdp) => sink.answer(sdp),
        candidate: (candidate) => sink.candidate(candidate),
        closed: () => this.#browsers.delete(browser),
      });
      this.#browsers.add(browser);
      // Ready before the channel is.
      this.#tasks.run('seeding.wake', async () => void (await this.wake(offer.swarmKey)));
      return answering;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      log.debug('seeding.offer_refused', { swarmKey: offer.swarmKey, code: error.code });
      return undefined;
    }
  }

  /**
   * Dials a leecher that told our tracker where it listens, unless it has come by itself after a while: it may try
   * transports first that we do not speak (uTP), or be unable to reach us.
   */
  #callBack(key: SwarmKey, address: PeerAddress): void {
    const caller = `${key} ${address.host}`;
    if (this.#callers.size >= SEEDING_CAPS.callBacks || this.#callers.has(caller) || !this.#seeds(key)) return;
    this.#callers.add(caller);
    this.#tasks.run('seeding.call_back', async (signal) => {
      await sleep(this.#options.clock, CALL_BACK_MS, signal).finally(() => this.#callers.delete(caller));
      const torrent = await this.wake(key);
      if (torrent?.peers().some((peer) => peer.address?.host === address.host) === false) torrent.callBack(address);
    });
  }

  /** Stops the engine and every torrent, closing what they read from. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await endInTurn([
      () => this.#tasks.stop(),
      () => Promise.allSettled(this.#waking.values()),
      () => this.engine.stop(),
      () => endTogether(Array.from(this.#awake.keys(), (key) => this.#sleep(key))),
      () => endTogether([...this.#fallingAsleep.values()]),
    ]);
  }

  /** A peer came for a torrent. Whoever asks for what is not here again and again is not looked up any more. */
  async #wakeFor(remote: PeerAddress | undefined, key: SwarmKey): Promise<Torrent | undefined> {
    const awake = this.#awake.get(key);
    if (awake !== undefined) return awake.torrent;
    const ip = ipOf(remote);
    if (!this.#strangers.hasLeft(ip)) return undefined;
    const torrent = await this.wake(key);
    if (torrent === undefined) this.#strangers.spend(ip);
    return torrent;
  }

  /** The same for an encrypted handshake, which names its torrent by H('req2'‖info hash) alone. */
  #resolveFor(remote: PeerAddress | undefined, obfuscatedKey: Uint8Array): Promise<SwarmKey | undefined> {
    const ip = ipOf(remote);
    if (this.#isStopped || !this.#strangers.hasLeft(ip)) return Promise.resolve(undefined);
    const key = this.#options.media.keyByObfuscated(toHex(obfuscatedKey));
    if (key === undefined) this.#strangers.spend(ip);
    return Promise.resolve(key);
  }

  #seeds(key: SwarmKey): boolean {
    if (this.#isStopped) return false;
    return this.#awake.has(key) || this.#options.media.hasTorrent(key);
  }

  get #maxAwake(): number {
    return this.#options.maxAwake ?? SEEDING_CAPS.awake;
  }

  async #wake(key: SwarmKey): Promise<Torrent | undefined> {
    await this.#fallingAsleep.get(key);
    const row = this.#isStopped ? undefined : this.#options.media.torrentByKey(key);
    if (row === undefined) return undefined;
    const reader = await this.#options.media.openBlob(row.sha256);
    if (reader === undefined) return undefined;
    await reader.close();
    if (this.#isStopped) return undefined;
    if (this.#awake.size >= this.#maxAwake && !this.#makeRoom()) {
      this.#refusedWakes++;
      return undefined;
    }
    return this.#run(key, row);
  }

  #run(key: SwarmKey, row: TorrentRow): Torrent {
    const info = parseTorrentInfo(canonicalInfo(row));
    const storage = new BlobStorage(row.sha256, {
      openBlob: (sha256) => this.#options.media.openBlob(sha256),
      reads: this.#reads,
    });
    const torrent = this.engine.add({ v1: row.infoHash, info, storage, have: 'all', mode: 'seed-only' });
    this.#awake.set(key, { torrent, sha256: row.sha256, usedAtMs: this.#nowMs() });
    torrent.events.on('error', (error) => this.#doubt(row, error));
    torrent.events.on('lost', ({ pieces: [piece] }) =>
      this.#doubt(row, new Unavailable('a stored piece cannot be read', { piece })),
    );
    this.#options.log.debug('seeding.awake', { infoHash: row.infoHash });
    this.#sampler.add(key);
    return torrent;
  }

  /** Hashes a few pieces of a torrent that woke. */
  async #sample(key: SwarmKey, signal: AbortSignal): Promise<void> {
    const row = this.#options.media.torrentByKey(key);
    if (row === undefined) return;
    await using reader = await this.#options.media.openBlob(row.sha256);
    if (reader === undefined) return;
    const bad = await samplePieces(row, reader, this.#options, signal);
    if (bad !== undefined) this.#doubt(row, new Unavailable('a stored piece is not what it was', { piece: bad }));
  }

  /** Serves the torrent no more, and has every byte checked. */
  #doubt(row: TorrentRow, error: Error): void {
    const { log, media } = this.#options;
    log.error('seeding.quarantined', { sha256: row.sha256, infoHash: row.infoHash, error });
    this.#drop(swarmKeyOf(row.infoHash));
    this.#tasks.run('seeding.verify', async (signal) => {
      log.warn('seeding.verified', { sha256: row.sha256, found: await media.verify(row.sha256, signal) });
    });
  }

  #drop(key: SwarmKey): void {
    if (this.#awake.has(key)) this.#tasks.run('seeding.drop', () => this.#sleep(key));
  }

  async #sleep(key: SwarmKey): Promise<void> {
    const awake = this.#awake.get(key);
    if (awake === undefined) return;
    this.#awake.delete(key);
    this.#sampler.forget(key);
    this.#finishedUploadBytes += awake.torrent.stats().uploadedBytes;
    const stopping = awake.torrent.stop().finally(() => this.#fallingAsleep.delete(key));
    this.#fallingAsleep.set(key, stopping);
    await stopping;
    this.#options.log.debug('seeding.asleep', { key });
  }

  /** Puts to sleep what nobody has used for a while. */
  async #sweep(): Promise<void> {
    if (this.#refusedWakes > 0) {
      this.#options.log.warn('seeding.full', { awake: this.#awake.size, refused: this.#refusedWakes });
      this.#refusedWakes = 0;
    }
    const nowMs = this.#nowMs();
    const idleMs = this.#options.idleMs ?? IDLE_MS;
    const before = [...this.#awake]; // the order changes on the way
    for (const [key, awake] of before) {
      if (isInUse(awake.torrent)) this.#used(key, awake, nowMs);
      else if (nowMs - awake.usedAtMs >= idleMs) await this.#sleep(key);
    }
  }

  /** Moves it behind all that are idle for longer. */
  #used(key: SwarmKey, awake: Awake, nowMs: number): void {
    if (!this.#awake.delete(key)) return;
    awake.usedAtMs = nowMs;
    this.#awake.set(key, awake);
  }

  /** Puts the longest idle torrent to sleep; false when all are in use. Its place is free when this returns. */
  #makeRoom(): boolean {
    for (const [key, awake] of this.#awake) {
      if (isInUse(awake.torrent)) continue;
      this.#drop(key);
      return true;
    }
    return false;
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}

function isInUse({ peerCount, readerCount }: Torrent): boolean {
  return peerCount > 0 || readerCount > 0;
}

function ipOf(remote: PeerAddress | undefined): Uint8Array {
  return remote === undefined ? HIDDEN : parseIp(remote.host);
}
