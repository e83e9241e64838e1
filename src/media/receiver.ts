/**
 * Bytes of one body into one part. Invariants: whatever ends a body, what arrived is synced and recorded before the error
 * is passed on; room is reserved before bytes are written; a follower has seen exactly the bytes that were kept.
 */
import type { Claim } from '../accounts/claim.ts';
import { NoSpace, StorageFailed, TooLarge } from '../base/errors.ts';
import { parseUploadId } from '../base/ids.ts';
import type { UploadId } from '../base/ids.ts';
import { MIB } from '../base/units.ts';
import type { BlobPart } from '../store/blobs.ts';
import type { Follower } from '../store/follower.ts';
import { assertSize } from './admission.ts';
import type { Admission } from './admission.ts';
import { stoppable } from './body.ts';
import { BoundedMap } from './bounded-map.ts';
import { BufferPool } from './buffer-pool.ts';
import type { MediaContext } from './context.ts';
import { DurableAppender } from './durable-appender.ts';
import { recordOffset, reserveMore } from './media-writes.ts';
import { writeWithin } from './space.ts';
import type { UploadRow } from './tables.ts';

/** Uploads of unknown size reserve room in steps of this. */
const RESERVE_STEP_BYTES = 16 * MIB;
/** Idle uploads whose hash state is kept; others are hashed from the start when they go on. */
const MAX_IDLE_FOLLOWERS = 512;
const BUFFER_BYTES = MIB;
const MAX_IDLE_BUFFERS = 16;

export class Receiver {
  readonly #context: MediaContext;
  readonly #admission: Admission;
  readonly #idle = new BoundedMap<UploadId, Follower>(MAX_IDLE_FOLLOWERS, (follower) => follower.abandon());

  readonly #buffers = new BufferPool(BUFFER_BYTES, MAX_IDLE_BUFFERS);

  constructor(context: MediaContext, admission: Admission) {
    this.#context = context;
    this.#admission = admission;
  }

  /** Receives a body; whatever ends it, what arrived is synced and recorded before the error is passed on. */
  async receive(claim: Claim, row: UploadRow, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    const id = parseUploadId(row.id);
    await using part = await this.#context.store.openPart(id);
    assertAllThere(part, row);
    const follower = await this.#followerAt(part, row);
    const appender = this.#appender(claim, row, { part, follower });
    const either = AbortSignal.any([signal, this.#context.stopping]);
    try {
      for await (const chunk of stoppable(body, either)) await appender.take(chunk);
      await appender.settle();
    } catch (error) {
      await this.#keepArrived(appender, id);
      throw error;
    } finally {
      this.#idle.set(id, follower);
    }
  }

  /** The first error is the one to report; a second one only means that less is kept. */
  async #keepArrived(appender: DurableAppender, id: UploadId): Promise<void> {
    try {
      await appender.settle();
    } catch (error) {
      this.#context.log.warn('media.settle-failed', { upload: id, recordedBytes: appender.recordedBytes, error });
    }
  }

  #appender(claim: Claim, row: UploadRow, { part, follower }: { part: BlobPart; follower: Follower }): DurableAppender {
    const { clock, rows, limits, stopping } = this.#context;
    let recorded = row.offset_bytes;
    let reserved = row.reserved_bytes;
    return new DurableAppender({
      part,
      follower,
      buffers: this.#buffers,
      clock,
      signal: stopping,
      reserve: async (endBytes) => {
        if (row.size_bytes !== null && endBytes > row.size_bytes) throw beyond(row.size_bytes);
        if (endBytes > reserved) reserved += await this.#reserve(claim, { ...row, reserved_bytes: reserved }, endBytes);
      },
      record: async (endBytes) => {
        const expiresAtMs = clock.nowMs() + limits.uploadExpiryMs;
        await rows.write(recordOffset(rows.query, row.id, recorded, endBytes, expiresAtMs));
        recorded = endBytes;
      },
    });
  }

  /** More room for an upload of unknown size: a step if there is, else what is needed. */
  async #reserve(claim: Claim, row: UploadRow, endBytes: number): Promise<number> {
    assertSize(endBytes, this.#context.limits.maxUploadBytes);
    await this.#admission.lookAtDisk();
    const { rows } = this.#context;
    const neededBytes = endBytes - row.reserved_bytes;
    const limits = this.#admission.limitsOf(claim);
    const reserve = async (moreBytes: number): Promise<number> => {
      this.#admission.assertRoom(claim, moreBytes);
      const change = { owner: row.owner, ownerBytes: moreBytes, totalBytes: moreBytes };
      await writeWithin(rows, reserveMore(rows.query, row, moreBytes, limits), change, limits);
      return moreBytes;
    };
    try {
      return await reserve(Math.max(neededBytes, RESERVE_STEP_BYTES));
    } catch (error) {
      if (!(error instanceof NoSpace) || neededBytes >= RESERVE_STEP_BYTES) throw error;
      return reserve(neededBytes);
    }
  }

  /** Cuts off what was never acknowledged; a follower that has seen more, or less, or has failed, starts over. */
  async #followerAt(part: BlobPart, row: UploadRow): Promise<Follower> {
    const known = this.takeFollower(part.id);
    if (part.sizeBytes > row.offset_bytes) await part.truncate(row.offset_bytes);
    if (known?.availableBytes === row.offset_bytes && !known.hasFailed) return known;
    known?.abandon();
    const follower = this.#context.followers.follow(part.id, row.size_bytes ?? undefined);
    if (row.offset_bytes > 0) follower.advance(row.offset_bytes);
    return follower;
  }

  /** The idle upload's follower is the caller's now. */
  takeFollower(id: UploadId): Follower | undefined {
    return this.#idle.delete(id);
  }
}

function assertAllThere(part: BlobPart, row: UploadRow): void {
  if (part.sizeBytes >= row.offset_bytes) return;
  const facts = { upload: row.id, offset: row.offset_bytes, partBytes: part.sizeBytes };
  throw new StorageFailed('acknowledged bytes of this upload are gone', facts);
}

function beyond(sizeBytes: number): TooLarge {
  return new TooLarge('the body goes beyond the declared length', { sizeBytes });
}
