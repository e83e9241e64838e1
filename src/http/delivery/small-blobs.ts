/**
 * The bytes of small blobs that are asked for often (thumbnails, playlists), whole and in memory: a thread-pool read costs
 * more than sending them (measured: half of the CPU of a 1 KiB answer). Blobs never change, so an entry is never wrong;
 * whether a blob may still be served is decided before it is looked for here.
 */
import { StorageFailed } from '../../base/errors.ts';
import type { Sha256 } from '../../base/ids.ts';
import { KIB, MIB } from '../../base/units.ts';
import type { BlobReader } from '../../store/blobs.ts';

/** Larger blobs are streamed. */
export const SMALL_BLOB_BYTES = 64 * KIB;

export class SmallBlobs {
  readonly #maxBytes: number;
  /** Least recently used first. */
  readonly #blobs = new Map<Sha256, Uint8Array>();
  #heldBytes = 0;

  constructor(maxBytes: number = 32 * MIB) {
    this.#maxBytes = maxBytes;
  }

  /** Never more than the bound. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  get(blob: Sha256): Uint8Array | undefined {
    const bytes = this.#blobs.get(blob);
    if (bytes === undefined) return undefined;
    this.#blobs.delete(blob);
    this.#blobs.set(blob, bytes);
    return bytes;
  }

  /** Reads all of a small blob and keeps it. @throws StorageFailed when there is less of it than recorded */
  async read(blob: Sha256, reader: BlobReader, sizeBytes: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(sizeBytes);
    const count = await reader.read([bytes], 0);
    if (count < sizeBytes) throw new StorageFailed('the blob on disk is shorter than recorded', { sizeBytes, count });
    this.#keep(blob, bytes);
    return bytes;
  }

  #keep(blob: Sha256, bytes: Uint8Array): void {
    if (this.#blobs.has(blob)) return;
    this.#blobs.set(blob, bytes);
    this.#heldBytes += bytes.length;
    for (const [oldest, { length }] of this.#blobs) {
      if (this.#heldBytes <= this.#maxBytes) return;
      this.#blobs.delete(oldest);
      this.#heldBytes -= length;
    }
  }
}
