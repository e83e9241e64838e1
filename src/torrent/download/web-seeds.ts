/**
 * The web seeds of one torrent, and how they are joined to its download; `web-seeding` decides what each of them does.
 * Invariants: of one identity there is one seed, none fetches while nothing is wanted, and after `stop` none fetches at all.
 */
import { BLOCK_BYTES } from '../../codec/wire.ts';
import type { Shared } from '../limits/shared.ts';
import type { Traffic } from '../limits/traffic.ts';
import type { ActivePiece } from '../pieces/active-piece.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import type { RangeSource } from '../ports.ts';
import type { Downloader } from './downloader.ts';
import type { PendingBlock } from './owed-blocks.ts';
import type { RequestLimits } from './request-limits.ts';
import { WebSeed } from './web-seed.ts';
import { WebSeeding, type WebSeedUse } from './web-seeding.ts';
import type { Wishes } from './wishes.ts';

/** HTTP sources of one torrent; a .torrent file names no more. */
export const MAX_WEB_SEEDS = 100;

export interface WebSeedsParts {
  readonly shared: Shared;
  readonly traffic: Traffic;
  readonly store: PieceStore;
  readonly downloader: Downloader;
  readonly wishes: Wishes;
  readonly use: WebSeedUse;
  readonly limits: RequestLimits;
  /** Whether anything is to be fetched now. */
  isWanting(): boolean;
}

/** What an HTTP source was asked for. */
export interface WebSeedInspection {
  readonly label: string;
  readonly isBanned: boolean;
  /** Keys of the blocks of its run that have not come. */
  readonly asked: readonly number[];
}

export class WebSeeds {
  readonly #parts: WebSeedsParts;
  readonly #seeding: WebSeeding;
  readonly #seeds = new Map<string, WebSeed>();
  #isStopped = false;

  constructor(parts: WebSeedsParts) {
    const { traffic, store, downloader, limits, wishes, use } = parts;
    this.#parts = parts;
    this.#seeding = new WebSeeding({
      store,
      downloader,
      wishes,
      use,
      limits,
      swarmSilentMs: (nowMs) => nowMs - traffic.peerBlockAtMs,
    });
  }

  get count(): number {
    return this.#seeds.size;
  }

  /** One more source, idle until the next `employ`; false when it is known already, or there are too many. */
  add(source: RangeSource): boolean {
    const identity = source.identity ?? source.label;
    if (this.#seeds.has(identity) || this.#isStopped || !this.#hasRoomFor(source)) return false;
    const { shared, traffic, store, downloader } = this.#parts;
    const seed = new WebSeed(shared.nextSourceId(), source, {
      store,
      nowMs: () => this.#nowMs(),
      openInflow: (gate) => traffic.openInflow(gate),
      received: (from, piece, block, otherAskers, sizeBytes) => {
        traffic.httpBlock(sizeBytes);
        const blockKey = store.geometry.blockKey(piece.index, block);
        downloader.received(from, { blockKey, piece, otherAskers, isNew: true, wasOpen: true });
      },
      idle: () => this.employ(),
      released: (from, blockKeys) => downloader.released(from, blockKeys, from.current === undefined),
      failed: (from, error) => shared.ports.log.info('webseed.failed', { source: from.source.label, error }),
    });
    this.#seeds.set(identity, seed);
    return true;
  }

  /** Starts a run of each idle seed for which there is one. */
  employ(): void {
    if (this.#isStopped || !this.#parts.isWanting()) return;
    const nowMs = this.#nowMs();
    for (const seed of this.#seeds.values()) this.#seeding.employ(seed, nowMs);
  }

  /** Runs that turned out slower than the swarm are left to the swarm. */
  yieldToSwarm(nowMs: number): void {
    for (const seed of this.#seeds.values()) this.#seeding.yieldToSwarm(seed, nowMs);
  }

  /** Call when readers jumped: runs that serve none of them end. */
  abortStale(): void {
    for (const seed of this.#seeds.values()) this.#seeding.abortStale(seed);
  }

  /** Call when wishes changed: runs of which nobody wants a piece end. */
  abortUnwanted(): void {
    for (const seed of this.#seeds.values()) this.#seeding.abortUnwanted(seed);
  }

  /** What came of the block was wrong: runs go on with what peers are spared as soon as it is here, and still owe it. */
  oweAgain(piece: ActivePiece, block: number): void {
    const blockKey = this.#parts.store.geometry.blockKey(piece.index, block);
    for (const seed of this.#seeds.values()) if (seed.askedBlocks.includes(blockKey)) piece.ask(block);
  }

  /** Ends runs that bring nothing. */
  checkStalls(nowMs: number): void {
    for (const seed of this.#seeds.values()) seed.checkStall(nowMs);
  }

  /** The next blocks to come. */
  pending(nowMs: number): PendingBlock[] {
    return [...this.#seeds.values()].flatMap((seed) => seed.pending(nowMs));
  }

  /** When an idle seed would have a block here, ms from now; Infinity without one. */
  arrivalMs(): number {
    const nowMs = this.#nowMs();
    const ready = [...this.#seeds.values()].filter((seed) => seed.isReady(nowMs));
    return Math.min(...ready.map((seed) => seed.arrivalMs(BLOCK_BYTES)));
  }

  /** One of them gives part of its run back, of which `serves` knows the last piece; false when none has much left. */
  share(serves: (piece: number) => boolean): boolean {
    return [...this.#seeds.values()].some((seed) => seed.share(serves));
  }

  inspect(): WebSeedInspection[] {
    return Array.from(this.#seeds.values(), (seed) => ({
      label: seed.source.label,
      isBanned: seed.isBanned,
      asked: seed.askedBlocks,
    }));
  }

  /** Ends all runs; resolves when none is left. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(Array.from(this.#seeds.values(), (seed) => seed.stop()));
  }

  /** A new one takes the place of one that was banned. */
  #hasRoomFor({ label }: RangeSource): boolean {
    if (this.#seeds.size < MAX_WEB_SEEDS) return true;
    const banned = Array.from(this.#seeds).find(([, { isBanned }]) => isBanned);
    if (banned !== undefined) return this.#seeds.delete(banned[0]);
    this.#parts.shared.ports.log.warn('webseed.refused', { source: label, code: 'too_many' });
    return false;
  }

  #nowMs(): number {
    return this.#parts.shared.ports.clock.monotonicMs();
  }
}
