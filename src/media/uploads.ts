/**
 * Uploads from their creation to their last byte. Invariants: an upload has one writer at a time; its offset is what
 * survives a power cut; its room is reserved before its bytes come; a finished one never changes.
 */
import { authorize } from '../accounts/authorize.ts';
import type { Claim } from '../accounts/claim.ts';
import { randomBytes, toHex } from '../base/bytes.ts';
import { Cancelled, Conflict, Forbidden, NotFound } from '../base/errors.ts';
import { parsePubkey, parseSha256, parseUploadId } from '../base/ids.ts';
import type { Sha256, UploadId } from '../base/ids.ts';
import { displayName } from '../codec/display-name.ts';
import { assertMayUpload, assertSize } from './admission.ts';
import type { Admission } from './admission.ts';
import type { MediaContext } from './context.ts';
import type { AllowedBlobs, Finisher, Stored } from './finisher.ts';
import { createUpload, declareSize, dropUpload, grantStored } from './media-writes.ts';
import type { Upload, UploadWish } from './medium.ts';
import { Receiver } from './receiver.ts';
import { toUpload } from './rows-to-media.ts';
import { ownerOf, writeWithin } from './space.ts';
import type { UploadRow } from './tables.ts';

const MIME_TYPE = /^[a-z0-9!#$&^_.+-]{1,63}\/[a-z0-9!#$&^_.+-]{1,63}( *;[\x20-\x7e]{0,128})?$/i;

export class Uploads {
  readonly #context: MediaContext;
  readonly #admission: Admission;
  readonly #finisher: Finisher;
  readonly #busy = new Map<UploadId, Promise<unknown>>();
  readonly #receiver: Receiver;

  constructor(context: MediaContext, admission: Admission, finisher: Finisher) {
    this.#context = context;
    this.#admission = admission;
    this.#finisher = finisher;
    this.#receiver = new Receiver(context, admission);
  }

  /** @throws Unauthorized, Forbidden, InvalidInput, TooLarge, UnsupportedType, NoSpace */
  async create(claim: Claim, wish: UploadWish, kind: UploadRow['kind'] = 'resumable'): Promise<Upload> {
    assertMayUpload(claim, wish, this.#context.limits);
    await this.#admission.lookAtDisk();
    // A body that is on its way is hashed, whatever was declared: only who can stay away from sending is spared it.
    const instant = kind === 'resumable' ? await this.#createInstant(claim, wish) : undefined;
    if (instant !== undefined) return instant;
    this.#admission.assertRoom(claim, wish.sizeBytes ?? 0);
    const { rows } = this.#context;
    const row = this.#newRow(claim, wish, kind);
    const change = { owner: row.owner, ownerBytes: row.reserved_bytes, totalBytes: row.reserved_bytes };
    const limits = this.#admission.limitsOf(claim);
    await writeWithin(rows, createUpload(rows.query, row, limits), change, limits);
    if (wish.sha256 !== undefined && wish.infoHash !== undefined) {
      this.#context.events.emit('pending', { sha256: wish.sha256, infoHash: wish.infoHash });
    }
    return toUpload(row, undefined);
  }

  /** Undefined when there is no such upload. @throws Forbidden, Unauthorized when it is somebody else's */
  find(claim: Claim, id: UploadId): Upload | undefined {
    const row = this.#context.reads.upload(id);
    if (row === undefined) return undefined;
    assertOwn(claim, row);
    return this.describe(row);
  }

  describe(row: UploadRow): Upload {
    const medium = row.state === 'finished' ? this.#context.reads.medium(parseSha256(row.fin_sha256 ?? '')) : undefined;
    return toUpload(row, medium);
  }

  /** @throws NotFound, Forbidden, Conflict when it is declared or the bytes are more already, TooLarge, NoSpace */
  async declareLength(claim: Claim, id: UploadId, sizeBytes: number): Promise<Upload> {
    const row = this.#own(claim, id);
    assertSize(sizeBytes, this.#context.limits.maxUploadBytes);
    if (row.size_bytes !== null) throw new Conflict('the length is declared already', { sizeBytes: row.size_bytes });
    if (sizeBytes < row.offset_bytes) throw new Conflict('more bytes than that are here', { offset: row.offset_bytes });
    return this.#alone(id, async () => {
      const moreBytes = sizeBytes - row.reserved_bytes;
      await this.#admission.lookAtDisk();
      if (moreBytes > 0) this.#admission.assertRoom(claim, moreBytes);
      const change = { owner: row.owner, ownerBytes: moreBytes, totalBytes: moreBytes };
      const limits = this.#admission.limitsOf(claim);
      const { rows } = this.#context;
      await writeWithin(rows, declareSize(rows.query, row, sizeBytes, limits), change, limits);
      return this.describe(this.#own(claim, id));
    });
  }

  /**
   * Appends at `offset` and finishes when the last byte is in. What arrived of a body that breaks off is kept.
   * @throws NotFound, Forbidden, Conflict, TooLarge, NoSpace, HashMismatch, UnsupportedType, StorageFailed, Cancelled
   */
  async append(
    claim: Claim,
    id: UploadId,
    offset: number,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Upload> {
    const after = await this.receive(claim, id, offset, body, signal);
    if (after.size_bytes !== after.offset_bytes) return this.describe(after);
    await this.finish(claim, id, signal);
    return this.describe(this.#own(claim, id));
  }

  /** As `append`, without the finish. */
  async receive(
    claim: Claim,
    id: UploadId,
    offset: number,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<UploadRow> {
    const row = this.#own(claim, id);
    if (row.state !== 'open') throw new Forbidden('the upload is finished and cannot change', { upload: id });
    if (offset !== row.offset_bytes) {
      throw new Conflict('the upload is at another offset', { offset, expectedOffset: row.offset_bytes });
    }
    return this.#alone(id, async () => {
      await this.#receiver.receive(claim, row, body, signal);
      return this.#own(claim, id);
    });
  }

  /** What the upload has become; may be asked again and again. @throws NotFound, Conflict, and as `append` */
  async finish(claim: Claim, id: UploadId, signal: AbortSignal): Promise<Stored> {
    const row = this.#own(claim, id);
    if (row.size_bytes !== row.offset_bytes) {
      const facts = { offset: row.offset_bytes, sizeBytes: row.size_bytes ?? undefined };
      throw new Conflict('the upload does not have all its bytes yet', facts);
    }
    return this.finishAsItIs(claim, id, signal);
  }

  /** As `finish`, of an upload whose length was never declared: what is here is all. */
  async finishAsItIs(claim: Claim, id: UploadId, signal: AbortSignal): Promise<Stored> {
    if (this.#finisher.isFinishing(id)) return unlessAborted(this.#finisher.finish(id), signal);
    const finish = (): Promise<Stored> => this.#finisher.finish(id, this.#receiver.takeFollower(id), allowedBy(claim));
    return this.#alone(id, () => unlessAborted(finish(), signal));
  }

  /** Forgets an upload and its bytes; of a finished one only the memory. @throws NotFound, Forbidden, Conflict when busy */
  async terminate(claim: Claim, id: UploadId): Promise<void> {
    await this.drop(this.#own(claim, id));
  }

  /** As `terminate`, for whoever decides by other rights. @throws Conflict when busy */
  async drop(row: UploadRow): Promise<void> {
    const id = parseUploadId(row.id);
    const { rows, store } = this.#context;
    await this.#alone(id, async () => {
      this.#receiver.takeFollower(id)?.abandon();
      const current = this.#context.reads.upload(id);
      if (current === undefined) return;
      if (current.state === 'finishing') throw new Conflict('the upload is being finished');
      await rows.write(dropUpload(rows.query, current));
      if (current.state === 'open' && (await store.statPart(id)) !== undefined)
        await (await store.openPart(id)).discard();
    });
  }

  /** True while somebody appends to it, finishes or drops it. */
  isBusy(id: UploadId): boolean {
    return this.#busy.has(id) || this.#finisher.isFinishing(id);
  }

  /** Resolves when nothing is under way any more; the outcomes are their askers'. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#busy.values());
  }

  /** A stored blob needs no bytes: only a grant, and a memory of the upload. */
  async #createInstant(claim: Claim, wish: UploadWish): Promise<Upload | undefined> {
    const { sha256 } = wish;
    if (sha256 === undefined) return undefined;
    const { blobLocks, reads, rows, store, clock } = this.#context;
    return blobLocks.run(sha256, async () => {
      const blob = reads.blob(sha256);
      if (blob === undefined || blob.damaged_at_ms !== null) return undefined;
      if (wish.sizeBytes !== undefined && wish.sizeBytes !== blob.size_bytes) return undefined;
      if ((await store.stat(sha256)) === undefined) return undefined;
      const row = { ...this.#newRow(claim, wish, 'resumable'), ...finishedAs(blob.size_bytes, sha256) };
      const grant = { sha256, owner: row.owner, name: row.name, created_at_ms: clock.nowMs() };
      const ownerBytes = reads.owners(sha256).includes(row.owner) ? 0 : blob.size_bytes;
      const change = { owner: row.owner, ownerBytes, totalBytes: 0 };
      const limits = this.#admission.limitsOf(claim);
      await writeWithin(rows, grantStored(rows.query, grant, row, { change, limits }), change, limits);
      this.#context.forgetMedium(sha256);
      const upload = this.describe(row);
      if (blob.refs === 0 && upload.medium !== undefined) this.#context.events.emit('stored', upload.medium);
      return upload;
    });
  }

  #newRow(claim: Claim, wish: UploadWish, kind: UploadRow['kind']): UploadRow {
    const nowMs = this.#context.clock.nowMs();
    const declaredType =
      wish.declaredType !== undefined && MIME_TYPE.test(wish.declaredType) ? wish.declaredType : null;
    return {
      id: parseUploadId(toHex(randomBytes(16))),
      owner: ownerOf(claim),
      kind,
      name: displayName(wish.name),
      declared_type: declaredType,
      size_bytes: wish.sizeBytes ?? null,
      offset_bytes: 0,
      reserved_bytes: wish.sizeBytes ?? 0,
      sha256: wish.sha256 ?? null,
      info_hash: wish.infoHash ?? null,
      state: 'open',
      fin_sha256: null,
      fin_crc32: null,
      fin_type: null,
      fin_pieces: null,
      created_at_ms: nowMs,
      expires_at_ms: nowMs + this.#context.limits.uploadExpiryMs,
    };
  }

  #own(claim: Claim, id: UploadId): UploadRow {
    const row = this.#context.reads.upload(id);
    if (row === undefined) throw new NotFound('there is no such upload; it may have expired', { upload: id });
    assertOwn(claim, row);
    return row;
  }

  /** No waiting: a second writer is told at once. */
  async #alone<Result>(id: UploadId, task: () => Promise<Result>): Promise<Result> {
    if (this.isBusy(id)) throw new Conflict('somebody else writes to this upload', { upload: id });
    const working = task().finally(() => this.#busy.delete(id));
    this.#busy.set(id, working);
    return working;
  }
}

/** @throws Forbidden, Unauthorized. An upload without an owner belongs to whoever knows its 128 random bits. */
function assertOwn(claim: Claim, row: UploadRow): void {
  if (row.owner !== '') authorize(claim, { kind: 'continue-upload', owner: parsePubkey(row.owner) });
}

function allowedBy(claim: Claim): AllowedBlobs {
  return claim.kind === 'key' ? claim.blobs : undefined;
}

function finishedAs(sizeBytes: number, sha256: Sha256) {
  return {
    state: 'finished',
    size_bytes: sizeBytes,
    offset_bytes: sizeBytes,
    reserved_bytes: 0,
    fin_sha256: sha256,
  } as const;
}

/** Stops waiting, not the work, when the signal aborts. @throws Cancelled */
async function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(new Cancelled('the caller left', {}, { cause: signal.reason }));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
