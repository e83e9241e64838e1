/** What a torrent is made from, what it tells, and what it needs of its engine. */
import type { SwarmKey } from '../../base/ids.ts';
import type { Bitfield } from '../../codec/bitfield.ts';
import type { FileRange } from '../../codec/magnet.ts';
import type { InfoHashes } from '../../codec/metainfo.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import type { WebSeedUse } from '../download/web-seeding.ts';
import type { TorrentMode } from '../download/wishes.ts';
import type { Shared } from '../limits/shared.ts';
import type { RateLimits } from '../limits/traffic.ts';
import type { PeerAddress, PeerSocket, PieceStorage, RangeSource } from '../ports.ts';
import type { PeerStats } from './stats.ts';

/** Where the pieces of a torrent live and which of them are there. */
export interface OpenedStorage {
  /** Closed by the torrent when it stops. */
  readonly storage: PieceStorage;
  /**
   * Trusted: pieces named here are served without hashing. A bitfield becomes the torrent's own and is updated.
   * `check`: not known, so every piece is read back and hashed before it is served or fetched.
   */
  readonly have: 'all' | 'none' | 'check' | Bitfield;
  /** The only files to fetch unread, now that their names are known; goes before what the torrent's options say. */
  readonly selectedFiles?: readonly FileRange[];
}

/** How a torrent is fetched and given, whatever is known of it; limits are in bytes per second. */
export interface TorrentOptions extends InfoHashes, RateLimits {
  /** Default `all`. */
  readonly mode?: TorrentMode;
  /**
   * The only files to fetch unread, as a magnet's `so` names them (BEP 53); none or absent: all. A selection that names no
   * file of the torrent fails with InvalidInput: `add` at once, `ready` and `done` when the metadata shows it.
   */
  readonly selectedFiles?: readonly FileRange[];
  /** Default `when-needed`. */
  readonly webSeedUse?: WebSeedUse;
  /** HTTP sources of its bytes (BEP 19). */
  readonly webSeeds?: readonly RangeSource[];
  /** Addresses to dial, named by strangers: they pass the engine's filter first. */
  readonly peers?: readonly PeerAddress[];
}

/** What a torrent tells; each listener is called in the turn in which it happens, and must not throw. */
export interface TorrentEvents {
  /** The info dictionary is known and verified. */
  metadata: TorrentInfo;
  /** A piece is verified and in storage (not yet synced). */
  verified: { readonly piece: number };
  /** All selected files are in storage and synced; comes again after more was selected, or some was lost. */
  done: undefined;
  /** A recheck has looked at every piece, be it the one at the start (`have: 'check'`) or a later one. */
  checked: undefined;
  /** These pieces are not in storage any more: wrong in a recheck, not to be read for a peer, or let go. */
  lost: { readonly pieces: readonly number[] };
  /** A peer finished its handshake, or its connection is closed. */
  peer: { readonly peer: PeerStats; readonly change: 'connected' | 'gone' };
  /** Storage failed or the metadata cannot be used; nothing more is fetched. */
  error: Error;
  /** `stop` was called, or the engine stops; comes once. Of the others only goodbyes of peers may follow. */
  stopped: undefined;
}

/**
 * What a torrent needs of its engine.
 * @typeParam Transfer the torrent at work, whose class this file does not import.
 */
export interface TransferHost<Transfer> {
  readonly shared: Shared;
  /** Ticks are needed from now on. */
  activate(transfer: Transfer): void;
  /** Opens a connection to the address; failures come back through `crowd.dialEnded`. False when too many are being opened. */
  dial(transfer: Transfer, address: PeerAddress): boolean;
  /** Takes over a socket that is open already. */
  greet(transfer: Transfer, socket: PeerSocket, isOutgoing: boolean, foundBy?: SwarmKey): void;
  /** Makes another torrent give up piece memory. */
  reclaimMemory(forTransfer: Transfer): boolean;
  connectionsChanged(by: 1 | -1): void;
  /** Whether one more connection fits the global cap. */
  hasRoom(): boolean;
  /** Makes some torrent part from a peer of no use; false when there is none. */
  makeRoom(): boolean;
  /** The metadata showed further hashes of the torrent: it is found under them, too. */
  keysLearned(transfer: Transfer): void;
  openStorage(transfer: Transfer, info: TorrentInfo): Promise<OpenedStorage>;
  stopped(transfer: Transfer): void;
}
