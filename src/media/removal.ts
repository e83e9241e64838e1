/**
 * The end of blobs. Removing drops grants; without a grant a blob is no longer served and gets a tombstone; its bytes go
 * after the grace time. Invariant: the count of grants, the tombstone and the room change in one transaction, and bytes
 * are unlinked only under a tombstone, holding the blob's lock.
 */
import { authorize } from '../accounts/authorize.ts';
import type { Claim } from '../accounts/claim.ts';
import { Forbidden, NotFound } from '../base/errors.ts';
import { parsePubkey } from '../base/ids.ts';
import type { Pubkey, Sha256 } from '../base/ids.ts';
import type { MediaContext } from './context.ts';
import { dropBlob, dropGrants, dropTombstone } from './media-writes.ts';
import { ownerOf } from './space.ts';
import type { BlobRow } from './tables.ts';

/** Blobs unlinked per run, so that one run never holds others up for long. */
const MAX_UNLINKS = 500;

export class Removal {
  readonly #context: MediaContext;

  constructor(context: MediaContext) {
    this.#context = context;
  }

  /**
   * Drops the caller's grant; the server owner, where it keeps none itself, drops all.
   * @throws NotFound, Unauthorized, Forbidden
   */
  async remove(claim: Claim, sha256: Sha256): Promise<void> {
    await this.#context.blobLocks.run(sha256, async () => {
      const blob = this.#context.reads.blob(sha256);
      const owners = this.#context.reads.owners(sha256);
      if (blob === undefined || owners.length === 0) throw new NotFound('there is no such file here', { sha256 });
      authorize(claim, { kind: 'delete', owners: owners.map(keyOf) });
      if (claim.kind === 'key' && claim.blobs?.has(sha256) === false) {
        throw new Forbidden('the token was signed for other blobs', { sha256 });
      }
      const own = ownerOf(claim);
      await this.#drop(blob, owners, own !== '' && owners.includes(own) ? [own] : owners);
    });
  }

  /** Unlinks blobs whose grace time is over; resolves with how many. @throws StorageFailed */
  async collectGarbage(signal: AbortSignal): Promise<number> {
    const { reads, clock, blobLocks } = this.#context;
    let unlinked = 0;
    for (const sha256 of reads.unlinkable(clock.nowMs(), MAX_UNLINKS)) {
      if (signal.aborted) break;
      if (await blobLocks.run(sha256, () => this.#unlink(sha256))) unlinked++;
    }
    return unlinked;
  }

  async #drop(blob: BlobRow, owners: readonly string[], leaving: readonly string[]): Promise<void> {
    const { clock, events, limits, readers, reads, rows } = this.#context;
    const sha256 = blob.sha256 as Sha256;
    const isLast = leaving.length === owners.length;
    const infoHash = reads.torrentBySha(sha256)?.infoHash;
    const removed_at_ms = clock.nowMs();
    const tombstone = { sha256, removed_at_ms, unlink_after_ms: removed_at_ms + limits.unlinkGraceMs };
    await rows.write(dropGrants(rows.query, blob, leaving, isLast ? tombstone : undefined));
    this.#context.forgetMedium(sha256);
    if (!isLast) return;
    readers.retire(sha256);
    events.emit('removed', { sha256, ...(infoHash !== undefined && { infoHash }) });
  }

  /** Rows first, then bytes, then the tombstone: a crash in between leaves the tombstone, and the next run goes on. */
  async #unlink(sha256: Sha256): Promise<boolean> {
    const { reads, rows, store, readers } = this.#context;
    const blob = reads.blob(sha256);
    if (blob !== undefined && blob.refs > 0) return false; // somebody keeps it again
    if (blob !== undefined) await rows.write(dropBlob(rows.query, blob));
    this.#context.forgetMedium(sha256);
    readers.retire(sha256);
    await store.delete(sha256);
    await rows.write(dropTombstone(rows.query, sha256));
    return true;
  }
}

function keyOf(owner: string): Pubkey | undefined {
  return owner === '' ? undefined : parsePubkey(owner);
}
