/**
 * What of a torrent is to be fetched although nobody reads it: the mode, and the priority of each file, worked out for
 * pieces. Invariants: a piece is wanted as much as its most wanted file (pad files want nothing), and the counts of
 * what is lacking and held always fit `have`.
 */
import { InvalidInput } from '../../base/errors.ts';
import { Bitfield } from '../../codec/bitfield.ts';
import type { FileRange } from '../../codec/magnet.ts';
import { firstFileFrom, type TorrentFile } from '../../codec/torrent-files.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';

/** `all`: fetch every selected file. `on-demand`: only what readers want. `seed-only`: fetch nothing. */
export type TorrentMode = (typeof TORRENT_MODES)[number];
/** All modes. */
export const TORRENT_MODES = ['all', 'on-demand', 'seed-only'] as const;

/** How much a file is wanted; of two pieces the one of the higher priority is begun first, however rare the other. */
export type FilePriority = 'skip' | 'low' | 'normal' | 'high';

/** Files by their index in the torrent (pad files count, BEP 53), and how much they are wanted. */
export interface FileChoice extends FileRange {
  readonly priority: FilePriority;
}

/** 0 = not wanted; higher is sooner. */
export type PieceLevel = 0 | 1 | 2 | 3;

const LEVELS = { skip: 0, low: 1, normal: 2, high: 3 } as const;
const PRIORITIES = ['skip', 'low', 'normal', 'high'] as const;
const MAX_CHOICES = 10_000;

/** These files and no others, at normal priority. */
export function onlyFiles(ranges: readonly FileRange[]): FileChoice[] {
  const chosen = ranges.map(({ first, last }) => ({ first, last, priority: 'normal' as const }));
  return [{ first: 0, last: Number.MAX_SAFE_INTEGER, priority: 'skip' }, ...chosen];
}

/**
 * What is asked for by index has to be there; asking for nothing is fine.
 * @throws InvalidInput where all ranges begin beyond the last file
 */
export function checkSelection(ranges: readonly FileRange[], fileCount: number): void {
  if (ranges.length === 0 || ranges.some(({ first }) => first < fileCount)) return;
  throw new InvalidInput('the torrent has no such file', { files: fileCount });
}

/** @throws InvalidInput unless each range counts upwards from 0 on, or for more than 10,000 of them. */
export function checkChoices(choices: readonly FileChoice[]): void {
  if (choices.length > MAX_CHOICES) throw new InvalidInput('too many file choices', { choices: choices.length });
  for (const { first, last, priority } of choices) {
    if (!(Number.isSafeInteger(first) && Number.isSafeInteger(last) && first >= 0 && first <= last))
      throw new InvalidInput('a range of files counts upwards from 0 on', { first, last });
    if (!PRIORITIES.includes(priority)) throw new InvalidInput('no such priority', { priority });
  }
}

export interface WishesParts {
  readonly info: Pick<TorrentInfo, 'files' | 'totalBytes' | 'pieceLengthBytes' | 'pieceCount'>;
  /** Live: what is in storage. */
  readonly have: Bitfield;
  readonly mode: TorrentMode;
  /** Applied in order to files that are all wanted normally; ranges may end beyond the last file. */
  readonly choices: readonly FileChoice[];
}

export class Wishes {
  readonly #parts: WishesParts;
  /** A level for each file. */
  readonly #files: Uint8Array;
  /** A level for each piece; undefined while every piece is wanted normally. */
  #pieces: Uint8Array | undefined;
  /** The pieces above level 0; undefined while that is all of them. */
  #selected: Bitfield | undefined;
  #mode: TorrentMode;
  #isPaused = false;
  #lackingPieces = 0;
  #selectedFiles = 0;
  #selectedBytes = 0;
  #heldBytes = 0;

  /** @throws InvalidInput for choices that `checkChoices` refuses. */
  constructor(parts: WishesParts) {
    this.#parts = parts;
    this.#mode = parts.mode;
    this.#files = new Uint8Array(parts.info.files.length).fill(LEVELS.normal);
    checkChoices(parts.choices);
    this.#choose(parts.choices);
  }

  get mode(): TorrentMode {
    return this.#mode;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether something is to be fetched now that nobody reads. */
  get fetchesAhead(): boolean {
    return this.#lackingPieces > 0 && this.#mode === 'all' && !this.#isPaused;
  }

  /** Every piece of the selected files is here, as those of empty and pad files always are; false where no file is selected. */
  get isSatisfied(): boolean {
    return this.#lackingPieces === 0 && this.#selectedFiles > 0;
  }

  /** Bytes of the selected files, pad files left out. */
  get selectedBytes(): number {
    return this.#selectedBytes;
  }

  /** Of these, bytes in storage. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** How much the piece is to be fetched unread, now. */
  levelOf(piece: number): PieceLevel {
    return this.#mode === 'all' && !this.#isPaused ? this.#selectedLevel(piece) : 0;
  }

  wants(piece: number): boolean {
    return this.levelOf(piece) > 0;
  }

  /** Whether the piece, once here, is to stay: it would be fetched again, now or when a pause is over. */
  keeps(piece: number): boolean {
    return this.#mode === 'all' && this.selects(piece);
  }

  /** Whether the selection has the piece, whatever the mode. */
  selects(piece: number): boolean {
    return this.#selectedLevel(piece) > 0;
  }

  /** Whether somebody with these pieces has one that is to be fetched unread. */
  wantsAnyOf(theirs: Bitfield): boolean {
    return this.fetchesAhead && theirs.hasBeyond(this.#parts.have, this.#selected);
  }

  /** How much each file is wanted, by index. */
  get priorities(): FilePriority[] {
    return Array.from(this.#files, (level) => PRIORITIES[level] ?? 'normal');
  }

  /** Returns the pieces whose level changed. @throws InvalidInput for choices that `checkChoices` refuses. */
  prioritize(choices: readonly FileChoice[]): number[] {
    checkChoices(choices);
    return this.#change(() => this.#choose(choices));
  }

  /** Returns the pieces whose level changed. */
  setMode(mode: TorrentMode): number[] {
    return this.#change(() => (this.#mode = mode));
  }

  /** Returns the pieces whose level changed. */
  setPaused(isPaused: boolean): number[] {
    return this.#change(() => (this.#isPaused = isPaused));
  }

  /** Call when a piece came into storage. */
  held(piece: number): void {
    if (this.#selectedLevel(piece) === 0) return;
    this.#lackingPieces--;
    this.#heldBytes += this.#selectedBytesOf(piece);
  }

  /** Call when a piece left storage. */
  lost(piece: number): void {
    if (this.#selectedLevel(piece) === 0) return;
    this.#lackingPieces++;
    this.#heldBytes -= this.#selectedBytesOf(piece);
  }

  #selectedLevel(piece: number): PieceLevel {
    return ((this.#pieces === undefined ? LEVELS.normal : this.#pieces[piece]) ?? 0) as PieceLevel; // only levels are stored
  }

  #change(apply: () => void): number[] {
    const { pieceCount } = this.#parts.info;
    const before = Uint8Array.from({ length: pieceCount }, (_, piece) => this.levelOf(piece));
    apply();
    const changed: number[] = [];
    for (let piece = 0; piece < pieceCount; piece++) if (this.levelOf(piece) !== before[piece]) changed.push(piece);
    return changed;
  }

  #choose(choices: readonly FileChoice[]): void {
    for (const { first, last, priority } of choices) this.#files.fill(LEVELS[priority], first, last + 1);
    const isPlain = this.#files.every((level) => level === LEVELS.normal);
    this.#pieces = isPlain ? undefined : this.#pieceLevels();
    this.#selected = this.#pieces && setBits(this.#pieces);
    this.#count();
  }

  #pieceLevels(): Uint8Array {
    const { files, pieceCount, pieceLengthBytes } = this.#parts.info;
    const levels = new Uint8Array(pieceCount);
    for (const [at, file] of files.entries()) {
      const level = this.#files[at] ?? 0;
      if (level === 0 || !hasBytes(file)) continue;
      const last = Math.floor((file.offsetBytes + file.lengthBytes - 1) / pieceLengthBytes);
      for (let piece = Math.floor(file.offsetBytes / pieceLengthBytes); piece <= last; piece++)
        levels[piece] = Math.max(levels[piece] ?? 0, level);
    }
    return levels;
  }

  #count(): void {
    const { info, have } = this.#parts;
    this.#lackingPieces = 0;
    have.forEachMissing((piece) => void (this.#lackingPieces += Number(this.#selectedLevel(piece) > 0)));
    this.#selectedFiles = 0;
    this.#selectedBytes = 0;
    for (const [at, file] of info.files.entries()) {
      if (this.#files[at] === 0) continue;
      this.#selectedFiles++;
      if (!file.isPad) this.#selectedBytes += file.lengthBytes;
    }
    this.#heldBytes = 0;
    have.forEachSet((piece) => void (this.#heldBytes += this.#selectedBytesOf(piece)));
  }

  /** Bytes of selected files in the piece. */
  #selectedBytesOf(piece: number): number {
    const { files, pieceLengthBytes, totalBytes } = this.#parts.info;
    const start = piece * pieceLengthBytes;
    const end = Math.min(start + pieceLengthBytes, totalBytes);
    let sum = 0;
    for (let at = firstFileFrom(files, start); at < files.length; at++) {
      const file = files[at];
      if (file === undefined || file.offsetBytes >= end) break;
      if (file.isPad || this.#files[at] === 0) continue;
      sum += Math.min(end, file.offsetBytes + file.lengthBytes) - Math.max(start, file.offsetBytes);
    }
    return sum;
  }
}

function setBits(levels: Uint8Array): Bitfield {
  const selected = new Bitfield(levels.length);
  for (const [piece, level] of levels.entries()) if (level > 0) selected.set(piece);
  return selected;
}

function hasBytes(file: TorrentFile): boolean {
  return !file.isPad && file.lengthBytes > 0;
}
