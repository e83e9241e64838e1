/**
 * A download limit of the engine, a torrent or an address. What it means: over any window of W seconds no more bytes of
 * blocks come in than limit × W, what the bucket saves (a quarter second's worth, or 32 KiB), and what one read of a
 * socket, and of each web seed, runs over. It counts every byte of a block, wanted or not, from peers and from web seeds; it does not count what is
 * said about blocks: handshakes, messages, metadata and the hashes of v2, about a byte in five hundred.
 *
 * Two buckets keep it. One paces what is asked for, so that normally no more comes than may. The other is charged with
 * what really comes, and where that is too much (late, doubled, asked under a limit that was higher) all sources are held:
 * nothing is read from them until it is paid for. Of a limit of 0 nothing could ever be paid, so what is under way when it
 * is set is let in.
 */
import type { Inflow } from './inflow.ts';
import { TokenBucket } from './rate.ts';
import { Turns } from './turns.ts';

export class DownloadLimit {
  readonly turns = new Turns();
  readonly #sources = new Set<Inflow>();
  readonly #asked: TokenBucket;
  readonly #come: TokenBucket;
  #isOver = false;

  constructor(bytesPerSecond: number, nowMs: number) {
    this.#asked = new TokenBucket(bytesPerSecond, nowMs);
    this.#come = new TokenBucket(bytesPerSecond, nowMs);
  }

  /** Everybody under this limit. */
  get sources(): ReadonlySet<Inflow> {
    return this.#sources;
  }

  get bytesPerSecond(): number {
    return this.#asked.bytesPerSecond;
  }

  /** More came than may. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Changes the limit from now on. Where it is lower than before, what was asked for under the old one is taken back. */
  limit(bytesPerSecond: number, nowMs: number): void {
    const isLower = bytesPerSecond < this.bytesPerSecond;
    this.#asked.limit(bytesPerSecond, nowMs);
    this.#come.limit(bytesPerSecond, nowMs);
    if (isLower) for (const source of this.#sources) source.lowered();
  }

  /** Bytes that may be asked for now. */
  available(nowMs: number): number {
    return this.#asked.available(nowMs);
  }

  /** Charges bytes asked for; negative gives back what will not come. */
  take(sizeBytes: number): void {
    this.#asked.take(sizeBytes);
  }

  /** These bytes came in. */
  came(sizeBytes: number, nowMs: number): void {
    this.#come.available(nowMs); // first what time gave, or it would be given again for what is charged now
    this.#come.take(sizeBytes);
    if (this.#isOver || !this.#isExceeded(nowMs)) return;
    this.#isOver = true;
    for (const source of this.#sources) source.hold();
  }

  /** Looks whether what came is paid for by now. */
  recover(nowMs: number): void {
    if (this.#isOver) this.#isOver = this.#isExceeded(nowMs);
  }

  join(source: Inflow): void {
    this.#sources.add(source);
    if (this.#isOver) source.hold();
  }

  leave(source: Inflow): void {
    this.#sources.delete(source);
  }

  #isExceeded(nowMs: number): boolean {
    return this.bytesPerSecond > 0 && this.#come.available(nowMs) < 0;
  }
}
