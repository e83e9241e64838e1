/** Database rows as the words of `medium.ts`. Pure. The casts to ids are sound: rows are written from parsed ids only. */
import type { InfoHashV1, Pubkey, Sha256, UploadId } from '../base/ids.ts';
import type { Medium, Upload } from './medium.ts';
import type { BlobRow, UploadRow } from './tables.ts';

/** A blob with a grant and its torrent, as the queries join them. */
export interface MediumRow extends Pick<BlobRow, 'sha256' | 'size_bytes' | 'crc32' | 'type'> {
  owner: string;
  name: string;
  created_at_ms: number;
  info_hash: string | null;
  piece_length_bytes: number | null;
  piece_count: number | null;
}

export function toMedium(row: MediumRow): Medium {
  return {
    sha256: row.sha256 as Sha256,
    sizeBytes: row.size_bytes,
    crc32: row.crc32,
    type: row.type,
    name: row.name,
    ...(row.owner !== '' && { owner: row.owner as Pubkey }),
    createdAtMs: row.created_at_ms,
    ...(row.info_hash !== null && {
      infoHash: row.info_hash as InfoHashV1,
      pieceLengthBytes: row.piece_length_bytes ?? 0,
      pieceCount: row.piece_count ?? 0,
    }),
  };
}

export function toUpload(row: UploadRow, medium: Medium | undefined): Upload {
  return {
    id: row.id as UploadId,
    ...(row.owner !== '' && { owner: row.owner as Pubkey }),
    ...(row.size_bytes !== null && { sizeBytes: row.size_bytes }),
    offsetBytes: row.offset_bytes,
    name: row.name,
    ...(row.declared_type !== null && { declaredType: row.declared_type }),
    ...(row.sha256 !== null && { sha256: row.sha256 as Sha256 }),
    ...(row.info_hash !== null && { infoHash: row.info_hash as InfoHashV1 }),
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    state: row.state === 'finished' ? 'finished' : 'open',
    ...(medium !== undefined && { medium }),
  };
}
