/** What the content of a torrent is made from, and what it needs of the torrent around it. */
import type { VerifiedLayers } from '../../codec/piece-layers.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import type { WebSeedUse } from '../download/web-seeding.ts';
import type { FileChoice, TorrentMode } from '../download/wishes.ts';
import type { Shared } from '../limits/shared.ts';
import type { Traffic } from '../limits/traffic.ts';
import type { Peer } from '../peer/peer.ts';
import type { OpenedStorage } from './torrent-types.ts';

export interface ContentHost {
  readonly shared: Shared;
  readonly traffic: Traffic;
  readonly peers: ReadonlySet<Peer>;
  /** Makes another torrent give up piece memory; false when none can. */
  reclaimMemory(): boolean;
  /** This piece is in storage: peers and listeners may hear of it. */
  held(piece: number): void;
  /** These pieces are not in storage any more, and peers have to hear of it. */
  lost(pieces: readonly number[]): void;
  /** Every piece was looked at. */
  checked(): void;
  /** All that was to be fetched is in storage and synced. */
  done(): void;
  /** We want nothing any more, or something again. */
  uploadOnlyChanged(): void;
  /** The peer sent wrong bytes. */
  convict(peer: Peer): void;
  /** The peer knows the v2 half of the torrent (BEP 52). */
  speaksV2(peer: Peer): boolean;
  /** Storage is full or broken. */
  failed(error: unknown): void;
  /** There is something to do: tick again. */
  wake(): void;
}

export interface ContentParts {
  readonly info: TorrentInfo;
  /** Whether the torrent's v2 hashes count: not where it was asked for by its v1 hash alone. */
  readonly usesV2: boolean;
  /** Absent where peers have to deliver them. */
  readonly pieceLayers: VerifiedLayers | undefined;
  readonly opened: Pick<OpenedStorage, 'storage' | 'have'>;
  readonly mode: TorrentMode;
  /** Which files are wanted how much, over the default of all normally. */
  readonly choices: readonly FileChoice[];
  readonly isPaused: boolean;
  readonly webSeedUse: WebSeedUse;
  readonly host: ContentHost;
}
