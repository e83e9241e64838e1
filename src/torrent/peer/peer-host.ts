/** The border between a peer and its torrent. */
import type { Clock } from '../../base/clock.ts';
import type { Handshake } from '../../codec/handshake.ts';
import type { HashRequest } from '../../codec/wire-hashes.ts';
import type { AddressShare } from '../limits/address-traffic.ts';
import type { BufferPool } from '../limits/buffers.ts';
import type { Gate, Inflow } from '../limits/inflow.ts';
import type { ReceivedBlock } from './block-intake.ts';
import type { Connection } from './connection.ts';

/** What a peer needs of its torrent, and tells it. @typeParam Peer its own class, which this file does not import. */
export interface PeerHost<Peer> {
  readonly clock: Clock;
  readonly servePool: BufferPool;
  uploadAllowance(peer: Peer): number;
  chargeUpload(peer: Peer, sizeBytes: number): void;
  /** Its part of the download limits; closed by the peer. */
  openInflow(gate: Gate, address: AddressShare): Inflow;
  interestChanged(peer: Peer): void;
  /** It may be asked again, or for the first time. */
  unchoked(peer: Peer): void;
  /** These blocks will not come from it after all. */
  released(peer: Peer, blockKeys: readonly number[]): void;
  /** It was asked for the block and refused it. */
  refused(peer: Peer, blockKey: number): void;
  /** It got one more piece, or (undefined) told us all it has. */
  gained(peer: Peer, piece: number | undefined): void;
  lost(peer: Peer, piece: number): void;
  received(peer: Peer, block: ReceivedBlock, sizeBytes: number): void;
  extended(peer: Peer, extensionId: number, payload: Uint8Array): void;
  /** It asks for hashes, and must get one answer (BEP 52). */
  hashesRequested(peer: Peer, request: HashRequest): void;
  hashesReceived(peer: Peer, request: HashRequest, hashes: Uint8Array): void;
  hashesRejected(peer: Peer, request: HashRequest): void;
  /** A chunk was read completely: ask for more. */
  turn(peer: Peer): void;
  /** Where its DHT node listens (BEP 5). */
  dhtPortHeard(peer: Peer, port: number): void;
  /** Bytes of these pieces that the peer asked for could not be read. */
  readFailed(pieces: readonly number[], error: unknown): void;
  closed(peer: Peer, cause: Error | undefined): void;
}

export interface PeerParts<Peer> {
  readonly sourceId: number;
  readonly connection: Connection;
  readonly handshake: Handshake;
  readonly isOutgoing: boolean;
  /** What it shares with other peers of its address. */
  readonly address: AddressShare;
  readonly host: PeerHost<Peer>;
}
