/** An open blob on disk. Invariant: the descriptor is closed once, and never while a read is under way. */
import { StorageFailed } from '../../base/errors.ts';
import type { BlobReader } from '../../store/blobs.ts';
import type { DiskStat } from './disk.ts';
import { viewsAfter } from './views.ts';
import type { Volume } from './volume.ts';

export class FsBlobReader implements BlobReader {
  readonly sizeBytes: number;
  readonly fingerprint: string;
  readonly #volume: Volume;
  readonly #fd: number;
  #reading = 0;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(volume: Volume, fd: number, stat: DiskStat) {
    this.#volume = volume;
    this.#fd = fd;
    this.sizeBytes = stat.sizeBytes;
    this.fingerprint = stat.fingerprint;
  }

  async read(views: readonly Uint8Array[], position: number): Promise<number> {
    if (this.#closing !== undefined) throw new StorageFailed('the blob is closed');
    this.#reading++;
    try {
      return await this.#fill(views, position);
    } finally {
      this.#reading--;
      if (this.#reading === 0) this.#release();
    }
  }

  async #fill(views: readonly Uint8Array[], position: number): Promise<number> {
    let filled = 0;
    let rest = views;
    while (rest.length > 0) {
      const missing = rest;
      const at = position + filled;
      const count = await this.#volume.look('read', (disk) => disk.read(this.#fd, missing, at));
      filled += count;
      rest = count === 0 ? [] : viewsAfter(missing, count);
    }
    return filled;
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = Promise.withResolvers();
      if (this.#reading === 0) this.#release();
    }
    return this.#closing.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #release(): void {
    const closing = this.#closing;
    if (closing === undefined) return;
    this.#volume.look('close', (disk) => disk.close(this.#fd)).then(closing.resolve, closing.reject);
  }
}
