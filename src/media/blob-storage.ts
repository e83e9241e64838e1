/**
 * A stored blob as a torrent's storage: read only. Invariants: a torrent that is awake holds no file open, only a read
 * under way does, and of those there are few at once; each read finds anew whether the blob may still be served.
 */
import { StorageFailed, Unavailable } from '../base/errors.ts';
import type { Sha256 } from '../base/ids.ts';
import type { Lane } from '../base/lane.ts';
import type { BlobReader } from '../store/blobs.ts';
import type { PieceStorage } from '../torrent/index.ts';

export interface BlobStoragePorts {
  /** Undefined when the blob is gone or damaged. */
  openBlob(sha256: Sha256): Promise<BlobReader | undefined>;
  /** Shared by all torrents: bounds the files that swarm reads hold open. */
  readonly reads: Lane;
}

export class BlobStorage implements PieceStorage {
  readonly #sha256: Sha256;
  readonly #ports: BlobStoragePorts;

  constructor(sha256: Sha256, ports: BlobStoragePorts) {
    this.#sha256 = sha256;
    this.#ports = ports;
  }

  async read(views: readonly Uint8Array[], position: number): Promise<void> {
    const reading = this.#ports.reads.run(() => this.#read(views, position));
    if (reading === undefined) throw new Unavailable('too many reads wait for the disk');
    await reading;
  }

  write(): Promise<void> {
    return Promise.reject(new StorageFailed('stored blobs are never written'));
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #read(views: readonly Uint8Array[], position: number): Promise<void> {
    await using reader = await this.#ports.openBlob(this.#sha256);
    if (reader === undefined) throw new StorageFailed('the blob is gone, or not what it was', { sha256: this.#sha256 });
    const wantedBytes = views.reduce((sum, view) => sum + view.length, 0);
    const readBytes = await reader.read(views, position);
    if (readBytes !== wantedBytes) throw new StorageFailed('the blob is shorter than it was', { position, readBytes });
  }
}
