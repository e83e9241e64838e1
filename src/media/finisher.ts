/**
 * From "all bytes are here" to a blob, in two phases: the finding is recorded durably, then the part gets its name and
 * one transaction makes blob, torrent and grant. A crash anywhere in between is completed at the next start.
 * Invariants: every finishing happens once, however many ask for it; a blob whose hashes were not checked gets no name.
 */
import { createHash } from 'node:crypto';
import { HashMismatch, NotFound, StorageFailed, throwIfAborted, UnsupportedType } from '../base/errors.ts';
import type { AppError } from '../base/errors.ts';
import { parseInfoHashV1, parseSha256, parseUploadId } from '../base/ids.ts';
import type { Sha256, UploadId } from '../base/ids.ts';
import { canonicalInfo, canonicalPieceCount, canonicalPieceLength } from '../codec/canonical.ts';
import type { BlobStat } from '../store/blobs.ts';
import type { ContentDigest, Follower } from '../store/follower.ts';
import { acceptsType } from './context.ts';
import type { MediaContext } from './context.ts';
import { completeFinish, decideFinish, dropUpload } from './media-writes.ts';
import type { Finding, TorrentFacts } from './media-writes.ts';
import type { Medium } from './medium.ts';
import { obfuscatedKeyOf } from './obfuscated-keys.ts';
import { mediumType } from './sniff.ts';
import type { UploadRow } from './tables.ts';

export interface Stored {
  readonly medium: Medium;
  /** False when the same bytes were kept here before. */
  readonly isNew: boolean;
}

/** What a finished upload must be; from the token it came with. */
export type AllowedBlobs = ReadonlySet<Sha256> | undefined;

export class Finisher {
  readonly #context: MediaContext;
  readonly #underWay = new Map<UploadId, Promise<Stored>>();

  constructor(context: MediaContext) {
    this.#context = context;
  }

  /** True while the upload is being finished. */
  isFinishing(id: UploadId): boolean {
    return this.#underWay.has(id);
  }

  /**
   * Hashes what is not hashed yet and stores the blob. Goes on when the asker leaves; later askers join.
   * @throws HashMismatch, UnsupportedType (then the upload is gone); NoSpace, StorageFailed (then it can be tried again)
   */
  finish(id: UploadId, follower?: Follower, allowed?: AllowedBlobs): Promise<Stored> {
    const known = this.#underWay.get(id);
    if (known !== undefined) return known;
    const finishing = this.#finish(id, follower, allowed).finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, finishing);
    return finishing;
  }

  /** Resolves when nothing is under way any more; the outcomes are their askers'. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay.values());
  }

  async #finish(id: UploadId, follower: Follower | undefined, allowed: AllowedBlobs): Promise<Stored> {
    const upload = this.#context.reads.upload(id);
    if (upload === undefined) throw new NotFound('there is no such upload');
    if (upload.state === 'finished') return this.#alreadyStored(upload);
    const finding = findingOf(upload) ?? (await this.#find(upload, follower, allowed));
    return this.#context.blobLocks.run(finding.sha256, () => this.#complete(upload, finding));
  }

  #alreadyStored(upload: UploadRow): Stored {
    const medium = this.#context.reads.medium(parseSha256(upload.fin_sha256 ?? ''));
    if (medium === undefined) throw new NotFound('the upload was finished, and removed since');
    return { medium, isNew: false };
  }

  /** Phase one: hash, judge, record. */
  async #find(upload: UploadRow, follower: Follower | undefined, allowed: AllowedBlobs): Promise<Finding> {
    const { rows } = this.#context;
    const digest = await this.#digest(upload, follower);
    const type = mediumType(digest.head, digest.sizeBytes, upload.declared_type ?? undefined);
    const refusal = judge(upload, digest, type, { allowed, acceptedTypes: this.#context.limits.acceptedTypes });
    if (refusal !== undefined) {
      await this.#throwAway(upload);
      throw refusal;
    }
    const finding = { sha256: digest.sha256, crc32: digest.crc32, type, pieces: digest.pieces };
    await rows.write(decideFinish(rows.query, upload.id, digest.sizeBytes, finding));
    return finding;
  }

  /** The follower knows already; where it failed, and after a restart, the bytes are read again. */
  async #digest(upload: UploadRow, follower: Follower | undefined): Promise<ContentDigest> {
    const id = parseUploadId(upload.id);
    const sizeBytes = upload.size_bytes ?? upload.offset_bytes;
    const { followers, stopping, log, store } = this.#context;
    if (sizeBytes === 0) await (await store.openPart(id)).close(); // nobody ever wrote, so there may be no part
    try {
      if (follower !== undefined) return await follower.finish(sizeBytes, stopping);
    } catch (error) {
      throwIfAborted(stopping);
      log.warn('media.follower-failed', { upload: upload.id, error });
    }
    const late = followers.follow(id, sizeBytes);
    late.advance(sizeBytes);
    return late.finish(sizeBytes, stopping);
  }

  async #throwAway(upload: UploadRow): Promise<void> {
    const { rows, store } = this.#context;
    await rows.write(dropUpload(rows.query, upload));
    await (await store.openPart(parseUploadId(upload.id))).discard();
  }

  /** Phase two, holding the blob's lock: the name, then the rows. */
  async #complete(before: UploadRow, finding: Finding): Promise<Stored> {
    const { clock, limits, reads, rows, events } = this.#context;
    const upload = reads.upload(parseUploadId(before.id)) ?? before;
    const sizeBytes = upload.size_bytes ?? upload.offset_bytes;
    const existing = reads.blob(finding.sha256);
    const owners = reads.owners(finding.sha256);
    const stat = await this.#place(upload, finding.sha256, typeof existing?.damaged_at_ms === 'number');
    const nowMs = clock.nowMs();
    await rows.write(
      completeFinish(rows.query, {
        upload,
        blob: blobRow(finding, stat, nowMs),
        torrent: torrentOf(finding, sizeBytes),
        grant: { sha256: finding.sha256, owner: upload.owner, name: upload.name, created_at_ms: nowMs },
        expiresAtMs: nowMs + limits.uploadExpiryMs,
        space: {
          owner: upload.owner,
          ownerBytes: (owners.includes(upload.owner) ? 0 : sizeBytes) - upload.reserved_bytes,
          totalBytes: (existing === undefined ? sizeBytes : 0) - upload.reserved_bytes,
        },
      }),
    );
    this.#context.forgetMedium(finding.sha256);
    const medium = reads.medium(finding.sha256);
    if (medium === undefined) throw new StorageFailed('a stored blob is not there', { sha256: finding.sha256 });
    events.emit('stored', medium);
    return { medium, isNew: owners.length === 0 };
  }

  /** Gives the part its name, or finds that an earlier try did. A damaged blob gives way to the checked part. */
  async #place(upload: UploadRow, sha256: Sha256, isDamaged: boolean): Promise<BlobStat> {
    const { store, readers } = this.#context;
    const id = parseUploadId(upload.id);
    const sizeBytes = upload.size_bytes ?? upload.offset_bytes;
    const partBytes = (await store.statPart(id))?.sizeBytes ?? 0;
    if (partBytes === sizeBytes) {
      if (isDamaged && (await store.delete(sha256))) readers.retire(sha256);
      return (await store.openPart(id)).commit(sha256);
    }
    const stat = await store.stat(sha256);
    if (stat?.sizeBytes === sizeBytes) return stat;
    throw new StorageFailed('the bytes of a finished upload are gone', { upload: id, sizeBytes, partBytes });
  }
}

/** What phase one recorded before. */
function findingOf(upload: UploadRow): Finding | undefined {
  const { fin_sha256, fin_crc32, fin_type, fin_pieces } = upload;
  if (fin_sha256 === null || fin_crc32 === null || fin_type === null || fin_pieces === null) return undefined;
  return { sha256: parseSha256(fin_sha256), crc32: fin_crc32, type: fin_type, pieces: fin_pieces };
}

function blobRow(finding: Finding, stat: BlobStat, nowMs: number) {
  return {
    sha256: finding.sha256,
    size_bytes: stat.sizeBytes,
    crc32: finding.crc32,
    type: finding.type,
    fingerprint: stat.fingerprint,
    refs: 0,
    stored_at_ms: nowMs,
    damaged_at_ms: null,
  };
}

/** Undefined for the empty blob. */
function torrentOf({ sha256, pieces }: Finding, sizeBytes: number): TorrentFacts | undefined {
  if (sizeBytes === 0) return undefined;
  const infoHash = infoHashOf({ sha256, sizeBytes, pieces });
  return {
    infoHash,
    obfuscatedKey: obfuscatedKeyOf(infoHash),
    pieceLengthBytes: canonicalPieceLength(sizeBytes),
    pieceCount: canonicalPieceCount(sizeBytes),
    pieces,
  };
}

function infoHashOf(blob: Pick<ContentDigest, 'sha256' | 'sizeBytes' | 'pieces'>) {
  return parseInfoHashV1(createHash('sha1').update(canonicalInfo(blob)).digest('hex'));
}

interface Rules {
  readonly allowed: AllowedBlobs;
  readonly acceptedTypes: readonly string[];
}

/** Why these bytes may not be stored; undefined when they may. Pure. */
function judge(upload: UploadRow, digest: ContentDigest, type: string, rules: Rules): AppError | undefined {
  const { sha256, sizeBytes } = digest;
  if (upload.sha256 !== null && upload.sha256 !== sha256) {
    return new HashMismatch('the bytes do not have the declared sha256', { declared: upload.sha256, sha256 });
  }
  if (rules.allowed !== undefined && !rules.allowed.has(sha256)) {
    return new HashMismatch('the bytes are not the blob the token was signed for', { sha256 });
  }
  if (upload.info_hash !== null && (sizeBytes === 0 || infoHashOf(digest) !== upload.info_hash)) {
    return new HashMismatch('the bytes do not have the declared info hash', { declared: upload.info_hash, sha256 });
  }
  if (!acceptsType(rules.acceptedTypes, type)) {
    return new UnsupportedType('this server does not take files of this type', { type });
  }
  return undefined;
}
