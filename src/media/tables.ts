/**
 * Rows of media. Invariants, each kept inside one transaction: `space.used_bytes` of an identity is what it keeps plus
 * what its uploads reserve; of `total`, what is on the disk plus all reservations; `blob.refs` is the number of grants.
 */
import type { Migration } from '../store/rows.ts';

export interface MediaTables {
  upload: UploadRow;
  blob: BlobRow;
  blob_grant: GrantRow;
  torrent: {
    /** v1, which is also the swarm key. */
    info_hash: string;
    sha256: string;
    piece_length_bytes: number;
    piece_count: number;
    /** H('req2'‖info hash) in hex (MSE); null until `nameOldTorrents` has come by. */
    obfuscated_key: string | null;
  };
  /** Apart from `torrent`, so that a million dormant torrents stay small to scan. */
  torrent_pieces: {
    info_hash: string;
    pieces: Uint8Array;
  };
  /** A blob nobody keeps any more; its bytes go after the grace time. */
  tombstone: {
    sha256: string;
    removed_at_ms: number;
    unlink_after_ms: number;
  };
  /** Numbers that would cost a scan of a large table. Kept by the transactions that change that table. */
  tally: {
    /** `torrents`: rows of `torrent`. */
    name: string;
    count: number;
  };
  space: {
    /** `total`, or an owner as in `upload.owner` behind `owner:`. */
    scope: string;
    used_bytes: number;
  };
}

export interface UploadRow {
  id: string;
  /** Public key; empty for visitors without one. */
  owner: string;
  /** `resumable`: the sender may come back; `single`: one body, gone with its connection. */
  kind: 'resumable' | 'single';
  name: string;
  declared_type: string | null;
  /** Null until declared. */
  size_bytes: number | null;
  /** Synced bytes. */
  offset_bytes: number;
  /** Counted in `space`. */
  reserved_bytes: number;
  /** Declared by the sender. */
  sha256: string | null;
  info_hash: string | null;
  /** `finishing`: the hashes were right and are recorded in `fin_*`; nothing but finishing can follow. */
  state: 'open' | 'finishing' | 'finished';
  fin_sha256: string | null;
  fin_crc32: number | null;
  fin_type: string | null;
  /** Null again once finished. */
  fin_pieces: Uint8Array | null;
  created_at_ms: number;
  expires_at_ms: number;
}

export interface BlobRow {
  sha256: string;
  size_bytes: number;
  crc32: number;
  type: string;
  /** `BlobStat.fingerprint` when the bytes were last known to be right. */
  fingerprint: string;
  refs: number;
  stored_at_ms: number;
  /** Set when a check found wrong bytes; then nothing is served until they come again. */
  damaged_at_ms: number | null;
}

export interface GrantRow {
  sha256: string;
  owner: string;
  name: string;
  created_at_ms: number;
}

export const mediaMigrations: readonly Migration[] = [
  {
    name: '0002_media',
    statements: [
      `CREATE TABLE upload (
         id text PRIMARY KEY,
         owner text NOT NULL,
         kind text NOT NULL CHECK (kind IN ('resumable', 'single')),
         name text NOT NULL,
         declared_type text,
         size_bytes bigint CHECK (size_bytes >= 0),
         offset_bytes bigint NOT NULL CHECK (offset_bytes >= 0),
         reserved_bytes bigint NOT NULL CHECK (reserved_bytes >= 0),
         sha256 text,
         info_hash text,
         state text NOT NULL CHECK (state IN ('open', 'finishing', 'finished')),
         fin_sha256 text,
         fin_crc32 bigint,
         fin_type text,
         fin_pieces bytea,
         created_at_ms bigint NOT NULL,
         expires_at_ms bigint NOT NULL,
         CHECK (offset_bytes <= size_bytes OR size_bytes IS NULL)
       )`,
      `CREATE INDEX upload_expiry ON upload (expires_at_ms)`,
      `CREATE INDEX upload_unfinished ON upload (id) WHERE state <> 'finished'`,
      `CREATE INDEX upload_sha256 ON upload (sha256) WHERE state <> 'finished'`,
      `CREATE INDEX upload_info_hash ON upload (info_hash) WHERE state <> 'finished'`,
      `CREATE TABLE blob (
         sha256 text PRIMARY KEY,
         size_bytes bigint NOT NULL,
         crc32 bigint NOT NULL,
         type text NOT NULL,
         fingerprint text NOT NULL,
         refs bigint NOT NULL CHECK (refs >= 0),
         stored_at_ms bigint NOT NULL,
         damaged_at_ms bigint
       )`,
      `CREATE INDEX blob_newest ON blob (stored_at_ms, sha256)`,
      `CREATE TABLE blob_grant (
         sha256 text NOT NULL,
         owner text NOT NULL,
         name text NOT NULL,
         created_at_ms bigint NOT NULL,
         PRIMARY KEY (sha256, owner)
       )`,
      `CREATE INDEX blob_grant_first ON blob_grant (sha256, created_at_ms, owner)`,
      `CREATE INDEX blob_grant_owner ON blob_grant (owner, created_at_ms, sha256)`,
      `CREATE TABLE torrent (
         info_hash text PRIMARY KEY,
         sha256 text NOT NULL UNIQUE,
         piece_length_bytes bigint NOT NULL,
         piece_count bigint NOT NULL
       )`,
      `CREATE TABLE torrent_pieces (info_hash text PRIMARY KEY, pieces bytea NOT NULL)`,
      `CREATE TABLE tombstone (
         sha256 text PRIMARY KEY,
         removed_at_ms bigint NOT NULL,
         unlink_after_ms bigint NOT NULL
       )`,
      `CREATE INDEX tombstone_due ON tombstone (unlink_after_ms)`,
      `CREATE TABLE space (scope text PRIMARY KEY, used_bytes bigint NOT NULL CHECK (used_bytes >= 0))`,
    ],
  },
  {
    name: '0003_tally',
    statements: [
      `CREATE TABLE tally (name text PRIMARY KEY, count bigint NOT NULL CHECK (count >= 0))`,
      `INSERT INTO tally (name, count) SELECT 'torrents', count(*) FROM torrent`,
    ],
  },
  {
    name: '0004_obfuscated_key',
    statements: [
      `ALTER TABLE torrent ADD COLUMN obfuscated_key text`,
      `CREATE INDEX torrent_obfuscated ON torrent (obfuscated_key) WHERE obfuscated_key IS NOT NULL`,
      `CREATE INDEX torrent_unnamed ON torrent (info_hash) WHERE obfuscated_key IS NULL`,
    ],
  },
];
