/**
 * What the pages see of the swarm: one `SwarmClient` per tab, the same in every tab. Which tab leads, where the engine
 * runs and how bytes reach the disk stays behind it. Sizes are bytes, rates bytes per second, times ms since 1970.
 */
import type { MediumInfo, ServerInfo } from '../../../src/base/api.ts';
import type { Cancel } from '../../../src/base/clock.ts';
import type { InfoHashV1, Sha256 } from '../../../src/base/ids.ts';

/** What the swarm must know of a medium; every `MediumInfo` fits. */
export type SwarmMedium = Pick<MediumInfo, 'sha256' | 'sizeBytes' | 'type' | 'name' | 'url' | 'state' | 'torrent'>;

/** What the swarm must know of the server; every `ServerInfo` fits. */
export type SwarmServer = Pick<ServerInfo, 'trackerUrl' | 'iceServers'>;

export interface SeedProgress {
  readonly hashedBytes: number;
  readonly sizeBytes: number;
}

export interface SeedOptions {
  /** At most 10 calls a second, and one at the end. */
  readonly onProgress?: (progress: SeedProgress) => void;
  readonly signal?: AbortSignal;
}

/** A file that is hashed and, unless it is empty or the swarm is off, already seeded from this browser. */
export interface SeededFile {
  readonly sha256: Sha256;
  readonly sizeBytes: number;
  /** Absent for the empty file, which has no torrent. */
  readonly torrent?: {
    readonly infoHash: InfoHashV1;
    readonly pieceLengthBytes: number;
    readonly pieceCount: number;
  };
}

/** A medium held open by a page. */
export interface OpenMedium {
  /**
   * For `<video src>`, `<img src>` and downloads: the swarm stream where a service worker controls the page and the
   * medium has a torrent, else the server's URL.
   */
  readonly src: string;
  readonly through: 'swarm' | 'http';
  /** Lets go; what is held stays seeded. Idempotent. */
  close(): void;
}

/** State of one torrent, at most 4 times a second. Totals count from the start of the browser's session. */
export interface SwarmStats {
  readonly infoHash: InfoHashV1;
  /** `starting`: no metadata yet. */
  readonly state: 'starting' | 'downloading' | 'complete' | 'http-only';
  readonly peers: number;
  readonly sizeBytes: number;
  readonly haveBytes: number;
  readonly fromPeersBytes: number;
  readonly fromHttpBytes: number;
  readonly uploadedBytes: number;
  readonly fromPeersBytesPerSec: number;
  readonly fromHttpBytesPerSec: number;
  readonly uploadBytesPerSec: number;
  readonly pieceCount: number;
  /** Verified pieces, most significant bit first (BEP 3 bitfield). */
  readonly pieces: Uint8Array;
}

/** A medium this browser holds, wholly or in part. */
export interface HeldMedium {
  readonly sha256: Sha256;
  readonly infoHash: InfoHashV1;
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly haveBytes: number;
  /** `store`: kept by the browser across visits. `file`: read from a file the user picked; ends with its tab. */
  readonly kept: 'store' | 'file' | 'memory';
  readonly peers: number;
  readonly uploadedBytes: number;
  readonly lastUsedMs: number;
}

export interface SwarmUsage {
  /** What held media occupy. */
  readonly usedBytes: number;
  /** The user's own limit (settings), never more than the browser grants. */
  readonly quotaBytes: number;
  /** False where the browser offers no lasting storage (private windows): media are kept in memory only. */
  readonly lasting: boolean;
}

export interface SwarmLibrary {
  /** Newest use first. */
  list(): Promise<readonly HeldMedium[]>;
  /** Stops seeding it and frees its space. @throws NotFound */
  remove(infoHash: InfoHashV1): Promise<void>;
  usage(): Promise<SwarmUsage>;
}

export interface SwarmSettings {
  /** Upload to others while and after watching. Files the user seeds on purpose are always uploaded. */
  readonly seedWhileWatching: boolean;
  /** No peer connection and no tracker socket at all: nobody but the server learns this browser's address. */
  readonly httpOnly: boolean;
  /** 0 is no limit. */
  readonly uploadLimitBytesPerSec: number;
  /** Space for held media; the least recently used go first. */
  readonly quotaBytes: number;
}

export interface SwarmSettingsStore {
  get(): Promise<SwarmSettings>;
  /** Takes effect at once, in every tab. @throws InvalidInput on negative or fractional numbers */
  set(change: Partial<SwarmSettings>): Promise<SwarmSettings>;
  watch(listener: (settings: SwarmSettings) => void): Cancel;
}

export interface SwarmStatus {
  /** `waiting`: no tab leads yet, or the leading tab has just closed. `off`: not supported here, HTTP only. */
  readonly state: 'waiting' | 'running' | 'off';
  readonly isLeader: boolean;
  readonly tracker: 'off' | 'connecting' | 'connected';
  readonly connections: number;
}

/** The door of the pages to the swarm. Every promise rejects with an `AppError`. */
export interface SwarmClient {
  /** Registers the service worker, applies for the lead, resolves when some tab's swarm answers. Idempotent. */
  start(): Promise<void>;
  /** Hashes `file` in a worker, then seeds it from where it lies. @throws Cancelled, InvalidInput, StorageFailed */
  seedFile(file: File, options?: SeedOptions): Promise<SeededFile>;
  /** Joins the medium's swarm until closed. Never fails; waits at most about 2 s, on a first visit: HTTP is the fallback. */
  open(medium: SwarmMedium): Promise<OpenMedium>;
  /** The address `open` would give now. */
  streamUrl(medium: SwarmMedium): string;
  /** Calls at once with what is known, then on changes. */
  watchStats(infoHash: InfoHashV1, listener: (stats: SwarmStats) => void): Cancel;
  watchStatus(listener: (status: SwarmStatus) => void): Cancel;
  readonly library: SwarmLibrary;
  readonly settings: SwarmSettingsStore;
  /** Leaves; another tab takes over. */
  close(): Promise<void>;
}
