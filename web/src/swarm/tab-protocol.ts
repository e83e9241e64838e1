/**
 * What the tabs and the swarm worker say to each other, all over one BroadcastChannel: every tab hears the worker, the
 * worker hears every tab. Calls are idempotent, because a tab repeats them when another tab takes the lead.
 */
import type { ErrorFacts } from '../../../src/base/errors.ts';
import type { InfoHashV1, Sha256 } from '../../../src/base/ids.ts';
import type {
  HeldMedium,
  SeedProgress,
  SwarmMedium,
  SwarmSettings,
  SwarmStats,
  SwarmStatus,
  SwarmUsage,
} from './types.ts';

/** Raised with every change below: tabs of two builds must not talk past each other. */
const VERSION = 1;
export const CHANNEL_NAME = `seedbed-swarm-${VERSION}`;
/** Held by the leading tab for as long as it lives. */
export const LEADER_LOCK = `seedbed-swarm-leader-${VERSION}`;
/** Held by each tab while it lives, so that the worker learns of its end, however it comes. */
export const tabLock = (tab: TabId): string => `seedbed-swarm-tab-${tab}`;

export type TabId = string;

/** A file's identity as hashed once; saves the second hashing when another tab takes the lead. */
export interface HashedFile {
  readonly sha256: Sha256;
  /** Of the canonical torrent; undefined for the empty file, which has none. */
  readonly infoHash: InfoHashV1 | undefined;
  /** SHA-1 of each canonical piece, back to back; empty for the empty file. */
  readonly pieces: Uint8Array;
}

/** What a tab may ask, and what it gets. */
export interface TabCalls {
  seed: { readonly asks: { readonly file: File; readonly hashed?: HashedFile }; readonly gets: HashedFile };
  open: { readonly asks: SwarmMedium; readonly gets: undefined };
  close: { readonly asks: InfoHashV1; readonly gets: undefined };
  watch: { readonly asks: InfoHashV1; readonly gets: undefined };
  unwatch: { readonly asks: InfoHashV1; readonly gets: undefined };
  list: { readonly asks: undefined; readonly gets: readonly HeldMedium[] };
  remove: { readonly asks: InfoHashV1; readonly gets: undefined };
  usage: { readonly asks: undefined; readonly gets: SwarmUsage };
  settings: { readonly asks: Partial<SwarmSettings>; readonly gets: SwarmSettings };
}

export type TabCallName = keyof TabCalls;

export type TabMessage =
  | { readonly kind: 'hello'; readonly tab: TabId }
  | {
      readonly kind: 'call';
      readonly tab: TabId;
      readonly call: number;
      readonly name: TabCallName;
      readonly asks: TabCalls[TabCallName]['asks'];
    }
  | { readonly kind: 'abort'; readonly tab: TabId; readonly call: number };

/** An AppError on its way between threads. */
export interface SentError {
  readonly code: string;
  readonly message: string;
  readonly facts: ErrorFacts;
}

export type WorkerMessage =
  /** A worker leads (anew, when the epoch is another than before): repeat what you want. */
  | { readonly kind: 'leading'; readonly epoch: string }
  | { readonly kind: 'done'; readonly tab: TabId; readonly call: number; readonly gets: unknown }
  | { readonly kind: 'refused'; readonly tab: TabId; readonly call: number; readonly error: SentError }
  | { readonly kind: 'progress'; readonly tab: TabId; readonly call: number; readonly progress: SeedProgress }
  | { readonly kind: 'stats'; readonly stats: SwarmStats }
  | { readonly kind: 'settings'; readonly settings: SwarmSettings }
  | { readonly kind: 'status'; readonly status: Omit<SwarmStatus, 'isLeader' | 'state'> };
