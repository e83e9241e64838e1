/** The words of the media folder: what is uploaded, what is stored, what is told about it. Plain data only. */
import type { InfoHashV1, Pubkey, Sha256, UploadId } from '../base/ids.ts';

/** What an uploader says beforehand. Nothing of it is believed; sizes and hashes are checked. */
export interface UploadWish {
  /** Undefined: not known yet (`declareLength` later, or the end of a one-shot body). */
  readonly sizeBytes?: number | undefined;
  readonly sha256?: Sha256 | undefined;
  /** Of the canonical torrent, so that its swarm is admitted before the upload ends. */
  readonly infoHash?: InfoHashV1 | undefined;
  /** For display; any text. */
  readonly name: string;
  readonly declaredType?: string | undefined;
}

/** An upload on its way, or the memory of a finished one. */
export interface Upload {
  readonly id: UploadId;
  /** Undefined: a visitor without a key; whoever knows the id may go on. */
  readonly owner?: Pubkey;
  readonly sizeBytes?: number;
  /** These bytes survive a power cut. */
  readonly offsetBytes: number;
  readonly name: string;
  readonly declaredType?: string;
  readonly sha256?: Sha256;
  readonly infoHash?: InfoHashV1;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly state: 'open' | 'finished';
  /** With state `finished`, unless it has been removed since. */
  readonly medium?: Medium;
}

/** A stored blob with what people call it. */
export interface Medium {
  readonly sha256: Sha256;
  readonly sizeBytes: number;
  readonly crc32: number;
  /** MIME type told from the bytes. */
  readonly type: string;
  readonly name: string;
  /** Who published it first; undefined for visitors without a key. */
  readonly owner?: Pubkey;
  readonly createdAtMs: number;
  /** Absent, with the two below, for the empty blob, which has no torrent. */
  readonly infoHash?: InfoHashV1;
  readonly pieceLengthBytes?: number;
  readonly pieceCount?: number;
}

/** The canonical torrent of a stored blob; `canonicalInfo` of `codec/canonical.ts` makes the info dictionary of it. */
export interface TorrentRow {
  readonly sha256: Sha256;
  readonly infoHash: InfoHashV1;
  readonly sizeBytes: number;
  readonly pieceLengthBytes: number;
  /** SHA-1 of each piece, back to back. */
  readonly pieces: Uint8Array;
}

export interface MediaEvents {
  stored: Medium;
  removed: { readonly sha256: Sha256; readonly infoHash?: InfoHashV1 };
  /** An upload began whose browser may already seed it. */
  pending: { readonly sha256: Sha256; readonly infoHash: InfoHashV1 };
}

export interface MediaQuery {
  /** Only what this identity keeps, with its names. */
  readonly owner?: Pubkey | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** 1 to 200. */
  readonly limit: number;
}

export interface MediaList {
  /** Newest first. */
  readonly media: readonly Medium[];
  readonly nextCursor?: string;
}

export interface RecoveryReport {
  /** Uploads whose finish had been decided and is now done. */
  readonly completed: number;
  /** Uploads with all their bytes that are being hashed again and finished in the background. */
  readonly finishing: number;
  /** Uploads that wait for their sender. */
  readonly open: number;
  /** Unacknowledged bytes cut off. */
  readonly cutBytes: number;
  /** Acknowledged bytes that are gone. Must be 0: anything else is a fault of the disk or of Seedbed. */
  readonly lostBytes: number;
  /** Parts that belonged to no upload. */
  readonly sweptParts: number;
}

export type Verification = 'intact' | 'damaged' | 'missing';
