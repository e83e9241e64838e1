/** A file the user picked, as the read-only bytes of a torrent: seeded from where it lies, never copied. */
import { StorageFailed } from '../../base/errors.ts';
import type { PieceStorage } from '../../torrent/ports.ts';

/** Fails with StorageFailed once the file on disk was changed or removed: browsers refuse such a file as a whole. */
export class FileStorage implements PieceStorage {
  readonly #file: Blob;

  constructor(file: Blob) {
    this.#file = file;
  }

  async read(views: readonly Uint8Array[], position: number): Promise<void> {
    const wanted = views.reduce((sum, view) => sum + view.length, 0);
    const bytes = await this.#slice(position, position + wanted);
    if (bytes.length !== wanted) throw new StorageFailed('the file is shorter than its torrent', { position, wanted });
    let at = 0;
    for (const view of views) {
      view.set(bytes.subarray(at, at + view.length));
      at += view.length;
    }
  }

  write(): Promise<void> {
    return Promise.reject(new StorageFailed('a picked file is read-only'));
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #slice(start: number, endExclusive: number): Promise<Uint8Array> {
    try {
      return new Uint8Array(await this.#file.slice(start, endExclusive).arrayBuffer());
    } catch (error) {
      throw new StorageFailed('the picked file cannot be read any more', { start }, { cause: error });
    }
  }
}
