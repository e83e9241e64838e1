/**
 * Are the stored bytes still what their name says? A full check by hash; and the cheap question on opening, whether the
 * file can have changed at all. Invariant: a blob found damaged is not served until its bytes have come again.
 */
import type { Sha256 } from '../base/ids.ts';
import type { BlobReader } from '../store/blobs.ts';
import { BoundedMap } from './bounded-map.ts';
import type { MediaContext } from './context.ts';
import { recordCheck } from './media-writes.ts';
import type { Verification } from './medium.ts';
import { MANY_SAMPLES, samplePieces } from './sampling.ts';

const MAX_SAMPLED = 4_096;
const subtleHasher = {
  sha1: async (bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.digest('SHA-1', bytes)),
};

export class Verifier {
  readonly #context: MediaContext;
  readonly #underWay = new Map<Sha256, Promise<Verification>>();
  /** Fingerprints that passed a sample, until the full check has recorded them. */
  readonly #sampled = new BoundedMap<Sha256, string>(MAX_SAMPLED);

  constructor(context: MediaContext) {
    this.#context = context;
  }

  /** Reads the blob from end to end and records what it found. @throws Cancelled, StorageFailed */
  verify(sha256: Sha256, signal: AbortSignal): Promise<Verification> {
    const known = this.#underWay.get(sha256);
    if (known !== undefined) return known;
    const verifying = this.#verify(sha256, signal).finally(() => this.#underWay.delete(sha256));
    this.#underWay.set(sha256, verifying);
    return verifying;
  }

  /**
   * A reader of a blob somebody keeps. A file that changed since it was stored is sampled first, and checked from end to
   * end in the background. @throws StorageFailed
   */
  async open(sha256: Sha256): Promise<BlobReader | undefined> {
    const { readers } = this.#context;
    const blob = this.#context.servedBlob(sha256);
    if (blob === undefined) return undefined;
    const reader = await readers.open(sha256);
    if (reader === undefined || reader.fingerprint === blob.fingerprint) return reader;
    if (this.#sampled.get(sha256) === reader.fingerprint) return reader;
    await reader.close();
    readers.retire(sha256); // it may be open since before the file was replaced
    return this.#openChanged(sha256);
  }

  async #openChanged(sha256: Sha256): Promise<BlobReader | undefined> {
    const reader = await this.#context.readers.open(sha256);
    if (reader === undefined) return undefined;
    const checking = (signal: AbortSignal): Promise<unknown> => this.verify(sha256, signal);
    try {
      const isLikelyIntact = await this.#looksIntact(sha256, reader);
      if (!this.#underWay.has(sha256)) this.#context.inBackground(`verify ${sha256}`, checking);
      if (isLikelyIntact) {
        this.#sampled.set(sha256, reader.fingerprint);
        return reader;
      }
    } catch (error) {
      await reader.close();
      throw error;
    }
    await reader.close();
    return undefined;
  }

  /** The length and a sample of pieces; hashed on threads of the pool. */
  async #looksIntact(sha256: Sha256, reader: BlobReader): Promise<boolean> {
    const { reads, stopping } = this.#context;
    const torrent = reads.torrentBySha(sha256);
    if (torrent === undefined) return reader.sizeBytes === 0;
    if (reader.sizeBytes !== torrent.sizeBytes) return false;
    const ports = { hasher: subtleHasher, random: Math.random, samples: MANY_SAMPLES };
    return (await samplePieces(torrent, reader, ports, stopping)) === undefined;
  }

  async #verify(sha256: Sha256, signal: AbortSignal): Promise<Verification> {
    const { store, followers } = this.#context;
    const stat = await store.stat(sha256);
    const digest = await followers.digest(sha256, signal);
    const found: Verification = digest === undefined ? 'missing' : digest.sha256 === sha256 ? 'intact' : 'damaged';
    await this.#context.blobLocks.run(sha256, () => this.#record(sha256, found, stat?.fingerprint));
    return found;
  }

  async #record(sha256: Sha256, found: Verification, fingerprint: string | undefined): Promise<void> {
    const { clock, log, reads, readers, rows, store } = this.#context;
    const blob = reads.blob(sha256);
    const current = (await store.stat(sha256))?.fingerprint;
    if (blob === undefined || current !== fingerprint) return; // removed or replaced meanwhile
    if (found === 'intact' && blob.fingerprint === fingerprint && blob.damaged_at_ms === null) return;
    const damaged_at_ms = found === 'intact' ? null : clock.nowMs();
    await rows.write(recordCheck(rows.query, sha256, { fingerprint: fingerprint ?? '', damaged_at_ms }));
    this.#context.forgetMedium(sha256);
    if (found === 'intact') return;
    readers.retire(sha256);
    log.error('media.damaged', { sha256, found });
  }
}
