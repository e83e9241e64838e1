/**
 * What the HTTP side needs of the rooms below, each door naming only its part. The use cases decide; everything in this
 * folder only translates between them and bytes on a socket. Every method throws AppErrors only.
 */
import type { Claim } from '../accounts/claim.ts';
import type { Pubkey, Sha256, SwarmKey, UploadId } from '../base/ids.ts';
import type { MediaList, MediaQuery, Medium, TorrentRow, Upload, UploadWish } from '../media/medium.ts';
import type { BlobReader } from '../store/blobs.ts';

/** Reading what is stored. */
export interface StoredMedia {
  find(sha256: Sha256): Medium | undefined;
  /** A shared, reference-counted reader; `close` gives it back. Undefined when the bytes are gone. */
  openBlob(sha256: Sha256): Promise<BlobReader | undefined>;
}

/** Bringing media in. */
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

/** Looking through and removing what is stored. */
export interface MediaLists {
  list(query: MediaQuery): MediaList;
  /** Everyone who keeps the blob; undefined stands for visitors without a key. */
  ownersOf(sha256: Sha256): readonly (Pubkey | undefined)[];
  /** Drops the caller's hold on the blob. */
  remove(claim: Claim, sha256: Sha256): Promise<void>;
}

/** Uploads whose browser seeds already. */
export interface PendingMedia {
  /** An open upload that declared this sha256. */
  findPending(sha256: Sha256): Upload | undefined;
}

/** The canonical torrents of stored blobs. */
export interface StoredTorrents {
  torrentByKey(key: SwarmKey): TorrentRow | undefined;
}

/** What an identity keeps here. */
export interface MediaUsage {
  /** Bytes that count against the claim's quota, reserved ones included. */
  usedBytes(claim: Claim): number;
}

/** All of it: the class `Media`. */
export type MediaPort = StoredMedia & MediaIntake & MediaLists & PendingMedia & StoredTorrents & MediaUsage;
