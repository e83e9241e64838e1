/**
 * What all torrents of one engine share: ports, identity, and the global caps. Caps are global because a thousand
 * torrents must not cost a thousand times the memory of one.
 */
import type { AddressSource } from '../../base/address-policy.ts';
import type { PeerAddress } from '../../base/address.ts';
import { MIB } from '../../base/units.ts';
import type { EnginePorts } from '../ports.ts';
import type { AddressTraffic } from './address-traffic.ts';
import type { BanList } from './bans.ts';
import type { BufferPool } from './buffers.ts';
import type { DownloadLimit } from './download-limit.ts';
import type { JobLimit } from './job-limit.ts';
import type { LeafCache } from './leaf-cache.ts';
import type { UploadLimit } from './upload-limit.ts';
import type { UploadSlots } from './upload-slots.ts';

/** Global caps of one engine: memory, connections, work at once, and rates. */
export interface EngineLimits {
  /** Bytes of pieces on their way in, all torrents together. */
  readonly pieceBufferBytes: number;
  /** Bytes of blocks on their way out, all torrents together. */
  readonly serveBufferBytes: number;
  /** Bytes of 16 KiB leaf hashes kept (2 MiB cover 1 GiB), all torrents together. */
  readonly leafCacheBytes: number;
  /** Open connections, all torrents together, handshakes under way included. */
  readonly maxConnections: number;
  /** Open connections of one torrent. */
  readonly maxConnectionsPerTorrent: number;
  /** Peers of one torrent at one address; loopback, where many programs may live, is not counted. */
  readonly maxPeersPerAddress: number;
  /**
   * Incoming connections from one address, in the long run; five seconds' worth may come at once. Loopback, where a proxy
   * may have a crowd behind it, counts as fifty addresses.
   */
  readonly handshakesPerSecondPerAddress: number;
  /** Outgoing connections being opened. */
  readonly maxHalfOpen: number;
  /** Incoming connections before their handshake is answered; a crowd that wakes torrents at rest waits here. */
  readonly maxGreetings: number;
  /** Peers unchoked at once, all torrents together. */
  readonly maxUploadSlots: number;
  /** Pieces hashed at once. */
  readonly maxHashJobs: number;
  /** Bytes per second over all torrents; Infinity = no limit. */
  readonly uploadBytesPerSecond: number;
  readonly downloadBytesPerSecond: number;
  /** Bytes per second with the peers of one IPv4 address or IPv6 /64, all torrents together; loopback is not limited. */
  readonly uploadBytesPerSecondPerAddress: number;
  readonly downloadBytesPerSecondPerAddress: number;
}

/** Caps that suit a server or a desktop: 1,000 connections, 208 MiB of buffers, no rate limit. */
export const DEFAULT_LIMITS: EngineLimits = {
  pieceBufferBytes: 128 * MIB,
  serveBufferBytes: 64 * MIB,
  leafCacheBytes: 16 * MIB,
  maxConnections: 1_000,
  maxConnectionsPerTorrent: 60,
  maxPeersPerAddress: 8,
  handshakesPerSecondPerAddress: 20,
  maxHalfOpen: 64,
  maxGreetings: 500,
  maxUploadSlots: 512,
  maxHashJobs: 4,
  uploadBytesPerSecond: Number.POSITIVE_INFINITY,
  downloadBytesPerSecond: Number.POSITIVE_INFINITY,
  uploadBytesPerSecondPerAddress: Number.POSITIVE_INFINITY,
  downloadBytesPerSecondPerAddress: Number.POSITIVE_INFINITY,
};

/** Which addresses may be dialled, by who named them; what strangers may name is also what they may be told. */
export type AddressFilter = (address: PeerAddress, source: AddressSource) => boolean;

/** The DHT node beside the engine, where there is one (BEP 5). */
export interface DhtLink {
  /** UDP port of our node, told to peers that have one. */
  readonly port: number;
  /** A peer told where its node listens. */
  heardOf(node: PeerAddress): void;
}

export interface Shared {
  readonly ports: EnginePorts;
  readonly peerId: Uint8Array;
  readonly limits: EngineLimits;
  /** Port for incoming connections, told to peers; undefined = none. */
  readonly listenPort: number | undefined;
  readonly dht: DhtLink | undefined;
  readonly pieceBuffers: BufferPool;
  readonly serveBuffers: BufferPool;
  readonly hashJobs: JobLimit;
  readonly leafCache: LeafCache;
  readonly uploadSlots: UploadSlots;
  readonly uploadLimit: UploadLimit;
  readonly downloadLimit: DownloadLimit;
  readonly addressTraffic: AddressTraffic;
  readonly bans: BanList;
  readonly allowAddress: AddressFilter;
  nextSourceId(): number;
}
