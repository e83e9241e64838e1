/**
 * One file being hashed in slices, so that a thread can follow many files at once. Invariant: only bytes that were
 * announced are read, each once; where the piece length came late, pieces take a second pass over the same bytes.
 */
import fs from 'node:fs';
import { canonicalPieceLength } from '../../codec/canonical.ts';
import { StorageFailed } from '../../base/errors.ts';
import type { ContentDigest } from '../../store/follower.ts';
import { PieceDigest, RunningDigest } from './running-digest.ts';

/** One turn: large enough for full speed, small enough (about 1 ms) to be fair. */
const SLICE_BYTES = 1 << 20;
/** Turns run one after the other on a thread, so all jobs share one buffer. */
const buffer = Buffer.allocUnsafeSlow(SLICE_BYTES);

export class FollowJob {
  readonly #file: string;
  readonly #content = new RunningDigest();
  #pieces: PieceDigest | undefined;
  #isSecondPass = false;
  #fd: number | undefined;
  #position = 0;
  #availableBytes = 0;
  #endBytes: number | undefined;

  constructor(file: string, sizeBytes: number | undefined) {
    this.#file = file;
    if (sizeBytes !== undefined && sizeBytes > 0) this.#pieces = new PieceDigest(canonicalPieceLength(sizeBytes));
  }

  /** Bytes of the first pass done. */
  get hashedBytes(): number {
    return this.#isSecondPass ? this.#availableBytes : this.#position;
  }

  advance(availableBytes: number): void {
    this.#availableBytes = availableBytes;
  }

  end(sizeBytes: number): void {
    this.#availableBytes = sizeBytes;
    this.#endBytes = sizeBytes;
  }

  /** True when a turn would do something: a whole slice is there, or the end is known. */
  get hasWork(): boolean {
    return this.#endBytes !== undefined || this.#availableBytes - this.#position >= SLICE_BYTES;
  }

  /** Hashes one slice; the digest when that was the last. @throws StorageFailed and file system errors */
  turn(): ContentDigest | undefined {
    const bytes = this.#readSlice();
    this.#position += bytes.length;
    this.#pieces?.update(bytes);
    if (!this.#isSecondPass) this.#content.update(bytes);
    return this.#position === this.#endBytes ? this.#finishPass(this.#endBytes) : undefined;
  }

  close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = undefined;
  }

  #finishPass(sizeBytes: number): ContentDigest | undefined {
    if (this.#pieces === undefined && sizeBytes > 0) {
      this.#pieces = new PieceDigest(canonicalPieceLength(sizeBytes));
      this.#isSecondPass = true;
      this.#position = 0;
      return undefined;
    }
    return { ...this.#content.finish(), pieces: this.#pieces?.finish() ?? new Uint8Array(0) };
  }

  #readSlice(): Uint8Array {
    this.#fd ??= fs.openSync(this.#file, 'r');
    const wanted = Math.min(SLICE_BYTES, this.#availableBytes - this.#position);
    let filled = 0;
    while (filled < wanted) {
      const count = fs.readSync(this.#fd, buffer, filled, wanted - filled, this.#position + filled);
      if (count === 0)
        throw new StorageFailed('the file is shorter than announced', { atBytes: this.#position + filled });
      filled += count;
    }
    return buffer.subarray(0, filled);
  }
}
