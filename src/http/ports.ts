/**
 * What the HTTP side needs of the rooms below. The use cases decide; everything in this folder only translates between
 * them and bytes on a socket.
 */
import type { Claim } from '../accounts/claim.ts';
import type { InfoHashV1, Pubkey, Sha256, UploadId } from '../base/ids.ts';
import type { BlobReader } from '../store/blobs.ts';

/** A stored blob as people know it. */
export interface Medium {
  readonly sha256: Sha256;
  readonly sizeBytes: number;
  readonly crc32: number;
  readonly type: string;
  readonly name: string;
  readonly owner?: Pubkey;
  readonly createdAtMs: number;
  /** Absent for the empty blob. */
  readonly infoHash?: InfoHashV1;
  readonly pieceLengthBytes?: number;
  readonly pieceCount?: number;
}

export interface UploadWish {
  readonly sizeBytes?: number;
  readonly sha256?: Sha256;
  readonly infoHash?: InfoHashV1;
  readonly name: string;
  readonly declaredType?: string;
}

export interface Upload {
  readonly id: UploadId;
  readonly owner?: Pubkey;
  readonly sizeBytes?: number;
  /** Durable bytes. */
  readonly offsetBytes: number;
  readonly name: string;
  readonly declaredType?: string;
  readonly sha256?: Sha256;
  readonly infoHash?: InfoHashV1;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly state: 'open' | 'finished';
  readonly medium?: Medium;
}

/** Reading what is stored. */
export interface StoredMedia {
  find(sha256: Sha256): Medium | undefined;
  /** A shared, reference-counted reader; `close` gives it back. Undefined when the bytes are gone. */
  openBlob(sha256: Sha256): Promise<BlobReader | undefined>;
}

/** Bringing media in. Every method throws AppErrors only. */
export interface MediaIntake {
  checkUpload(claim: Claim, wish: UploadWish): void;
  createUpload(claim: Claim, wish: UploadWish): Promise<Upload>;
  findUpload(claim: Claim, id: UploadId): Upload | undefined;
  declareLength(claim: Claim, id: UploadId, sizeBytes: number): Promise<Upload>;
  append(
    claim: Claim,
    id: UploadId,
    offsetBytes: number,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Upload>;
  finish(claim: Claim, id: UploadId, signal: AbortSignal): Promise<Medium>;
  terminate(claim: Claim, id: UploadId): Promise<void>;
  ingest(
    claim: Claim,
    body: AsyncIterable<Uint8Array>,
    wish: UploadWish,
    signal: AbortSignal,
  ): Promise<{ readonly medium: Medium; readonly isNew: boolean }>;
}
