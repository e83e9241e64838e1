/**
 * Open blobs shared by their readers. Delivery and seeding ask for the same few files thousands of times; each is opened
 * once. Invariants: a reader is closed when nobody holds it and it is no longer among the most recently used; a removed
 * blob is let go of by its last holder.
 */
import type { Sha256 } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { BlobReader, BlobStore } from '../store/blobs.ts';
import { BoundedMap } from './bounded-map.ts';

class SharedReader {
  readonly reader: BlobReader;
  holders = 0;
  /** Nobody new gets it; it closes with its last holder. */
  isRetired = false;

  constructor(reader: BlobReader) {
    this.reader = reader;
  }
}

export class ReaderCache {
  readonly #store: Pick<BlobStore, 'open'>;
  readonly #log: Log;
  readonly #idle: BoundedMap<Sha256, SharedReader>;
  readonly #held = new Map<Sha256, SharedReader>();
  readonly #opening = new Map<Sha256, Promise<SharedReader | undefined>>();
  /** Closings under way, for `close` to wait for. */
  readonly #closings = new Set<Promise<void>>();

  constructor(store: Pick<BlobStore, 'open'>, maxIdle: number, log: Log) {
    this.#store = store;
    this.#log = log;
    this.#idle = new BoundedMap(maxIdle, (shared) => this.#closeReader(shared));
  }

  /** A reader of one's own to close; undefined when the blob is not there. @throws StorageFailed */
  async open(blob: Sha256): Promise<BlobReader | undefined> {
    const shared = this.#known(blob) ?? (await this.#openOnce(blob));
    if (shared === undefined) return undefined;
    shared.holders++;
    if (!shared.isRetired) this.#held.set(blob, shared);
    return new HeldReader(shared.reader, () => this.#release(blob, shared));
  }

  /** For a blob that was removed or replaced. */
  retire(blob: Sha256): void {
    this.#opening.delete(blob);
    const idle = this.#idle.delete(blob);
    if (idle !== undefined) this.#closeReader(idle);
    const held = this.#held.get(blob);
    if (held !== undefined) held.isRetired = true;
    this.#held.delete(blob);
  }

  /** Closes what nobody holds and waits for it; held readers close with their holders. */
  async close(): Promise<void> {
    for (const idle of this.#idle.clear()) this.#closeReader(idle);
    for (const blob of this.#held.keys()) this.retire(blob);
    await Promise.all(this.#closings);
  }

  #known(blob: Sha256): SharedReader | undefined {
    return this.#held.get(blob) ?? this.#idle.delete(blob);
  }

  /** Several askers at once wait for one opening. */
  #openOnce(blob: Sha256): Promise<SharedReader | undefined> {
    const known = this.#opening.get(blob);
    if (known !== undefined) return known;
    const opening = this.#store
      .open(blob)
      .then((reader) => {
        if (reader === undefined) return undefined;
        const shared = new SharedReader(reader);
        if (this.#opening.get(blob) === opening) this.#held.set(blob, shared);
        else shared.isRetired = true;
        return shared;
      })
      .finally(() => {
        if (this.#opening.get(blob) === opening) this.#opening.delete(blob);
      });
    this.#opening.set(blob, opening);
    return opening;
  }

  #release(blob: Sha256, shared: SharedReader): void {
    shared.holders--;
    if (shared.holders > 0) return;
    if (this.#held.get(blob) === shared) this.#held.delete(blob);
    if (shared.isRetired) this.#closeReader(shared);
    else this.#idle.set(blob, shared);
  }

  #closeReader(shared: SharedReader): void {
    const closing = shared.reader
      .close()
      .catch((error: unknown) => this.#log.warn('blob.close-failed', { error }))
      .finally(() => this.#closings.delete(closing));
    this.#closings.add(closing);
  }
}

/** One holder's view; closing it twice counts once. */
class HeldReader implements BlobReader {
  readonly #reader: BlobReader;
  readonly #release: () => void;
  #isOpen = true;

  constructor(reader: BlobReader, release: () => void) {
    this.#reader = reader;
    this.#release = release;
  }

  get sizeBytes(): number {
    return this.#reader.sizeBytes;
  }

  get fingerprint(): string {
    return this.#reader.fingerprint;
  }

  read(views: readonly Uint8Array[], position: number): Promise<number> {
    return this.#reader.read(views, position);
  }

  close(): Promise<void> {
    if (this.#isOpen) this.#release();
    this.#isOpen = false;
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
