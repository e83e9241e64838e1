/** A stored blob as a torrent's storage: read only, closed with the torrent. */
import { StorageFailed } from '../base/errors.ts';
import type { BlobReader } from '../store/blobs.ts';
import type { PieceStorage } from '../torrent/index.ts';

export class BlobStorage implements PieceStorage {
  readonly #reader: BlobReader;

  constructor(reader: BlobReader) {
    this.#reader = reader;
  }

  async read(views: readonly Uint8Array[], position: number): Promise<void> {
    const wantedBytes = views.reduce((sum, view) => sum + view.length, 0);
    const readBytes = await this.#reader.read(views, position);
    if (readBytes !== wantedBytes) throw new StorageFailed('the blob is shorter than it was', { position, readBytes });
  }

  write(): Promise<void> {
    return Promise.reject(new StorageFailed('stored blobs are never written'));
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}
