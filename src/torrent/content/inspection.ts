/**
 * A look inside a running engine: who holds what, counted at one moment. It exists so that a simulation, or somebody
 * who hunts a fault, can check the engine's books against each other. Invariant: looking changes nothing.
 */
import type { SwarmKey } from '../../base/ids.ts';
import type { WebSeedInspection, WebSeeds } from '../download/web-seeds.ts';
import type { EngineLimits } from '../limits/shared.ts';
import type { Peer } from '../peer/peer.ts';
import type { ActivePiece } from '../pieces/active-piece.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import type { PeerAddress } from '../ports.ts';
import type { Readers } from '../reading/readers.ts';
import type { Upkeep } from './upkeep.ts';

/** One engine: what its global caps count. */
export interface EngineInspection {
  readonly limits: EngineLimits;
  /** Open connections, handshakes under way included. */
  readonly connections: number;
  /** Incoming connections whose handshake is not in. */
  readonly incomingHandshakes: number;
  /** Addresses being dialled. */
  readonly dialling: number;
  /** Bytes lent for pieces coming in. */
  readonly pieceBufferBytes: number;
  /** Bytes lent for blocks going out. */
  readonly serveBufferBytes: number;
  /** Bytes of hash trees kept. */
  readonly leafCacheBytes: number;
  /** Hashes being computed. */
  readonly hashJobs: number;
  readonly torrents: readonly TorrentInspection[];
}

/** One torrent's side of the books. */
export interface TorrentInspection {
  readonly keys: readonly SwarmKey[];
  readonly isComplete: boolean;
  /** Regular upload slots of the moment; one optimistic comes on top. */
  readonly uploadSlots: number;
  readonly peers: readonly PeerInspection[];
  /** Undefined before the metadata is known. */
  readonly content: ContentInspection | undefined;
}

/** What one peer was asked for, and who chokes whom (`is…`: the peer, `am…`: we). */
export interface PeerInspection {
  readonly id: number;
  readonly address: PeerAddress | undefined;
  /** Keys of the blocks it was asked for and should still bring. */
  readonly asked: readonly number[];
  /** Key of the block that is just coming in; it stays asked even where nobody wants it any more. */
  readonly receiving: number | undefined;
  /** Time since it last brought a block or was first asked, in ms; 0 while nothing is asked. */
  readonly silentMs: number;
  readonly isChoking: boolean;
  readonly amChoking: boolean;
  readonly isInterested: boolean;
  readonly amInterested: boolean;
  /** Its requests that wait to be served. */
  readonly queuedRequests: number;
}

/** Which pieces are held, under way, being hashed and being written. */
export interface ContentInspection {
  readonly pieceCount: number;
  /** Blocks per piece but the last: block key = piece × this + block. */
  readonly blocksPerPiece: number;
  readonly held: (piece: number) => boolean;
  readonly active: readonly PieceInspection[];
  readonly checking: readonly number[];
  /** Hashed, being written. */
  readonly verified: readonly number[];
  /** Being read back and hashed, or waiting for memory to do so. */
  readonly rechecking: readonly number[];
  readonly webSeeds: readonly WebSeedInspection[];
  readonly readers: number;
}

/** A piece on its way in, by blocks. */
export interface PieceInspection {
  readonly piece: number;
  readonly bufferBytes: number;
  readonly freeBlocks: number;
  readonly receivedBlocks: number;
  /** Per block: sources asked for it now, or `received`. */
  readonly blocks: readonly (number | 'received')[];
  /** Blocks that match their proven leaf (BEP 52). */
  readonly matchingBlocks: readonly number[];
  /** Its bytes so far. Live: not to be changed. */
  readonly bytes: Uint8Array;
}

/** A peer's side of the books. */
export function inspectPeer(peer: Peer, nowMs: number): PeerInspection {
  return {
    id: peer.sourceId,
    address: peer.connection.remote,
    asked: [...peer.ledger.open.keys()],
    receiving: peer.receiving,
    silentMs: peer.ledger.size === 0 ? 0 : nowMs - peer.lastBlockAtMs,
    isChoking: peer.isChoking,
    amChoking: peer.amChoking,
    isInterested: peer.isInterested,
    amInterested: peer.amInterested,
    queuedRequests: peer.uploads?.length ?? 0,
  };
}

/** The books of one torrent's bytes. */
export function inspectContent(
  store: PieceStore,
  webSeeds: WebSeeds,
  readers: Readers,
  upkeep: Upkeep,
): ContentInspection {
  const { geometry, have, active, checking, verified } = store;
  return {
    pieceCount: geometry.pieceCount,
    blocksPerPiece: geometry.blocksPerPiece,
    held: (piece) => have.has(piece),
    active: [...active.values()].map(inspectPiece),
    checking: [...checking],
    verified: [...verified],
    rechecking: upkeep.takenPieces,
    webSeeds: webSeeds.inspect(),
    readers: readers.count,
  };
}

function inspectPiece(piece: ActivePiece): PieceInspection {
  return {
    piece: piece.index,
    bufferBytes: piece.buffer.length,
    freeBlocks: piece.freeBlocks,
    receivedBlocks: piece.receivedBlocks,
    blocks: Array.from({ length: piece.blockCount }, (_, block) =>
      piece.isReceived(block) ? 'received' : piece.askers(block),
    ),
    matchingBlocks: piece.verifiedBlocks,
    bytes: piece.buffer,
  };
}
