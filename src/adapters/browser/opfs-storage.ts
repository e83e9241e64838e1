/**
 * The pieces of one torrent in one OPFS file, each at its own position. Unwritten stretches are holes that read as
 * zeros, so only the bitfield says what is held; browsers charge the quota for the file's length, holes included.
 */
import { onArrayBuffer } from '../../base/bytes.ts';
import { StorageFailed } from '../../base/errors.ts';
import type { PieceStorage } from '../../torrent/ports.ts';
import { useFile, type SyncFile } from './opfs-folder.ts';

export class OpfsStorage implements PieceStorage {
  readonly #file: SyncFile;

  constructor(file: SyncFile) {
    this.#file = file;
  }

  /** Length of the file: what the browser charges. */
  get storedBytes(): number {
    return this.#file.getSize();
  }

  async read(views: readonly Uint8Array[], position: number): Promise<void> {
    let at = position;
    for (const view of views) {
      const bytes = onArrayBuffer(view);
      if (useFile(() => this.#file.read(bytes, { at })) !== view.length)
        throw new StorageFailed('the browser store is shorter than it should be', { position: at });
      at += view.length;
    }
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    const written = useFile(() => this.#file.write(onArrayBuffer(bytes), { at: position }));
    if (written !== bytes.length) throw new StorageFailed('the browser store took only a part', { position });
  }

  async sync(): Promise<void> {
    useFile(() => this.#file.flush());
  }

  async close(): Promise<void> {
    this.#file.close();
  }
}
