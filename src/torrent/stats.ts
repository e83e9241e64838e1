/** What a torrent and its peers look like from outside: plain numbers, cheap to take at any time. */
import type { PeerAddress, TransportKind } from './ports.ts';
import type { Peer } from './peer.ts';

export interface TorrentStats {
  /** Undefined before the metadata is known. */
  readonly totalBytes: number | undefined;
  readonly pieceCount: number | undefined;
  readonly heldPieces: number;
  /** 0 to 1, by pieces held. */
  readonly progress: number;
  /** First copies of blocks, by where they came from. */
  readonly bytesFromPeers: number;
  readonly bytesFromHttp: number;
  /** Pieces thrown away for a wrong hash. */
  readonly wastedBytes: number;
  readonly uploadedBytes: number;
  readonly downloadBytesPerSecond: number;
  readonly uploadBytesPerSecond: number;
  readonly peers: number;
  /** Connected peers that have everything. */
  readonly seeds: number;
  readonly readers: number;
}

export interface PeerStats {
  readonly id: number;
  readonly client: string;
  readonly address: PeerAddress | undefined;
  readonly transport: TransportKind;
  readonly isOutgoing: boolean;
  /** 0 to 1. */
  readonly progress: number;
  readonly downloadedBytes: number;
  readonly uploadedBytes: number;
  readonly downloadBytesPerSecond: number;
  readonly uploadBytesPerSecond: number;
  /** It lets us download; we let it. */
  readonly isUnchoked: boolean;
  readonly weUnchoke: boolean;
  /** Blocks asked of it and not yet here. */
  readonly outstandingBlocks: number;
}

export function describePeer(peer: Peer, nowMs: number): PeerStats {
  const have = peer.pieces.have;
  return {
    id: peer.sourceId,
    client: peer.client,
    address: peer.connection.remote,
    transport: peer.connection.transport,
    isOutgoing: peer.isOutgoing,
    progress: have === undefined || have.length === 0 ? 0 : have.count / have.length,
    downloadedBytes: peer.downloaded.totalBytes,
    uploadedBytes: peer.uploaded.totalBytes,
    downloadBytesPerSecond: peer.downloaded.bytesPerSecond(nowMs),
    uploadBytesPerSecond: peer.uploaded.bytesPerSecond(nowMs),
    isUnchoked: !peer.isChoking,
    weUnchoke: !peer.amChoking,
    outstandingBlocks: peer.ledger.size,
  };
}
