/**
 * The JSON that travels between `/api/v1` and its clients (web app, CLI). Types only: the server shapes its answers
 * by them and the web app reads by them, so the two cannot drift. Times are ms since 1970, sizes bytes.
 */
import type { InfoHashV1, Pubkey, Sha256 } from './ids.ts';

export interface ApiError {
  /** Stable, snake_case: `AppError.code`. */
  readonly code: string;
  /** For people: what happened and what helps. */
  readonly message: string;
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

export type UploadPolicy = 'owner' | 'members' | 'anyone';
export type Role = 'owner' | 'member' | 'guest';

/** GET /api/v1/server */
export interface ServerInfo {
  readonly name: string;
  readonly version: string;
  /** False until the set-up link has been used. */
  readonly hasOwner: boolean;
  readonly uploads: UploadPolicy;
  readonly maxUploadBytes: number;
  readonly publicUrl: string;
  /** Origin that serves blobs; differs from `publicUrl` where SEEDBED_MEDIA_URL is set. */
  readonly mediaUrl: string;
  /** WebSocket tracker. */
  readonly trackerUrl: string;
  /** STUN/TURN of this operator only; empty by default. */
  readonly iceServers: readonly { readonly urls: string; readonly username?: string; readonly credential?: string }[];
}

/** GET /api/v1/session (also the answer to POST): who the caller is. Guests get `role: 'guest'` and no pubkey. */
export interface SessionInfo {
  readonly pubkey?: Pubkey;
  readonly role: Role;
  readonly mayUpload: boolean;
  readonly usedBytes: number;
  readonly quotaBytes: number;
}

/** GET /api/v1/media/<sha256> */
export interface MediumInfo {
  readonly sha256: Sha256;
  readonly sizeBytes: number;
  /** Sniffed MIME type. */
  readonly type: string;
  readonly name: string;
  readonly owner?: Pubkey;
  /** `uploading`: the uploader's browser already seeds it, the server does not have it all yet. */
  readonly state: 'uploading' | 'stored';
  readonly createdAtMs: number;
  /** Bytes the server has; equals `sizeBytes` when stored. */
  readonly storedBytes: number;
  /** Absolute URL of the bytes, with an extension. */
  readonly url: string;
  /** Absolute URL of the page `/m/<sha256>`. */
  readonly pageUrl: string;
  /** Absent for the empty blob, which has no torrent. */
  readonly torrent?: {
    readonly infoHash: InfoHashV1;
    readonly magnet: string;
    readonly torrentUrl: string;
    readonly pieceLengthBytes: number;
    readonly pieceCount: number;
  };
  /** What our tracker counts now, the server's own seed not included. */
  readonly swarm: { readonly seeders: number; readonly leechers: number };
  /** The caller may delete it. */
  readonly mayDelete: boolean;
}

/** GET /api/v1/media?cursor&limit (newest first; `owner=me` for the caller's own) */
export interface MediaPage {
  readonly media: readonly MediumInfo[];
  readonly nextCursor?: string;
}

/** Metadata keys of a tus creation at /api/v1/uploads (tus `Upload-Metadata`). All optional. */
export interface UploadMetadata {
  readonly filename?: string;
  readonly filetype?: string;
  /** Checked when the last byte is in; 409 `hash_mismatch` otherwise. If already stored, the upload is complete at once. */
  readonly sha256?: string;
  /** Canonical info hash the client computed; lets our tracker admit its swarm before the upload ends. */
  readonly infohash?: string;
}
