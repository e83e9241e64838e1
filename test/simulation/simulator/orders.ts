/**
 * What one machine was told to fetch of a torrent, kept beside the engine as a second opinion. Invariant: `mayAsk` is
 * false for every piece that no selected file, no open reader and no order of this very instant speaks for.
 */
import type { Clock } from '../../../src/base/clock.ts';
import type { FileRange } from '../../../src/codec/magnet.ts';
import type { TorrentInfo } from '../../../src/codec/torrent-info.ts';
import type { FileChoice, FilePriority, TorrentMode } from '../../../src/torrent/index.ts';

interface ByteSpan {
  readonly start: number;
  readonly endExclusive: number;
}

export class Orders {
  readonly #info: TorrentInfo;
  readonly #clock: Clock;
  readonly #priorities: FilePriority[];
  readonly #reads = new Set<ByteSpan>();
  /** When a piece was spoken for last. */
  readonly #wantedUntilMs = new Map<number, number>();
  mode: TorrentMode;
  pausedSinceMs: number | undefined;

  constructor(info: TorrentInfo, mode: TorrentMode, clock: Clock) {
    this.#info = info;
    this.#clock = clock;
    this.#priorities = info.files.map(() => 'normal');
    this.mode = mode;
  }

  /** Everything chosen so far, to be told to a new run of the engine. */
  get choices(): FileChoice[] {
    return this.#priorities.map((priority, at) => ({ first: at, last: at, priority }));
  }

  get hasChoices(): boolean {
    return this.#priorities.some((priority) => priority !== 'normal');
  }

  /** Pieces to be fetched unread, whether paused or not. */
  get selected(): number[] {
    if (this.mode !== 'all') return [];
    return Array.from({ length: this.#info.pieceCount }, (_, piece) => piece).filter((piece) =>
      this.#isSelected(piece),
    );
  }

  /** Whether anybody may be asked for the piece now. */
  mayAsk(piece: number): boolean {
    return this.#isWanted(piece) || this.#wantedUntilMs.get(piece) === this.#clock.monotonicMs();
  }

  /** It was paused before this instant. */
  get isSilent(): boolean {
    return this.pausedSinceMs !== undefined && this.pausedSinceMs < this.#clock.monotonicMs();
  }

  prioritize(choices: readonly FileChoice[]): void {
    this.#change(() => {
      for (const { first, last, priority } of choices)
        for (let file = first; file <= Math.min(last, this.#priorities.length - 1); file++)
          this.#priorities[file] = priority;
    });
  }

  /** Those that name files of the torrent; a selection of others alone is refused, and none means nothing. */
  known(ranges: readonly FileRange[]): FileRange[] {
    return ranges.filter(({ first }) => first < this.#priorities.length);
  }

  select(ranges: readonly FileRange[]): void {
    this.#change(() => this.#priorities.fill('skip'));
    this.prioritize(ranges.map((range) => ({ ...range, priority: 'normal' })));
  }

  setMode(mode: TorrentMode): void {
    this.#change(() => (this.mode = mode));
  }

  setPaused(isPaused: boolean): void {
    this.#change(() => (this.pausedSinceMs = isPaused ? this.#clock.monotonicMs() : undefined));
  }

  /** Somebody reads from now on; call the result when that ends. */
  reads(span: ByteSpan): () => void {
    this.#reads.add(span);
    return () => this.#change(() => this.#reads.delete(span));
  }

  /** A new run of the engine: nobody reads yet, it is not paused, and of choices it hears a breath later. */
  restart(): void {
    this.#reads.clear();
    this.pausedSinceMs = undefined;
    const nowMs = this.#clock.monotonicMs();
    for (let piece = 0; piece < this.#info.pieceCount; piece++) this.#wantedUntilMs.set(piece, nowMs);
  }

  #change(apply: () => void): void {
    const nowMs = this.#clock.monotonicMs();
    for (let piece = 0; piece < this.#info.pieceCount; piece++)
      if (this.#isWanted(piece)) this.#wantedUntilMs.set(piece, nowMs);
    apply();
  }

  #isWanted(piece: number): boolean {
    if (this.pausedSinceMs !== undefined) return false;
    if (this.mode === 'all' && this.#isSelected(piece)) return true;
    for (const span of this.#reads) if (this.#overlaps(piece, span)) return true;
    return false;
  }

  #isSelected(piece: number): boolean {
    return this.#info.files.some(
      ({ isPad, offsetBytes, lengthBytes }, at) =>
        !isPad &&
        this.#priorities[at] !== 'skip' &&
        this.#overlaps(piece, { start: offsetBytes, endExclusive: offsetBytes + lengthBytes }),
    );
  }

  #overlaps(piece: number, { start, endExclusive }: ByteSpan): boolean {
    const { pieceLengthBytes } = this.#info;
    return start < endExclusive && start < (piece + 1) * pieceLengthBytes && endExclusive > piece * pieceLengthBytes;
  }
}
