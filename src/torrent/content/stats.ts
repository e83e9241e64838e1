/** What a torrent and its peers look like from outside: plain numbers, cheap to take at any time. */
import type { FilePriority } from '../download/wishes.ts';
import type { Traffic } from '../limits/traffic.ts';
import type { Peer } from '../peer/peer.ts';
import type { PeerAddress, TransportKind } from '../ports.ts';
import type { Content } from './content.ts';

/** A torrent's numbers at one moment. Sums count from when it was added; rates are of the last three seconds. */
export interface TorrentStats {
  /** Undefined before the metadata is known. */
  readonly totalBytes: number | undefined;
  /** Undefined before the metadata is known. */
  readonly pieceCount: number | undefined;
  /** Pieces verified and in storage. */
  readonly heldPieces: number;
  /** Pieces that a recheck has still to look at. */
  readonly uncheckedPieces: number;
  /** 0 to 1, by pieces held. */
  readonly progress: number;
  /** Bytes of the selected files, pad files left out; undefined before the metadata is known. */
  readonly selectedBytes: number | undefined;
  /** Of these, bytes in storage. */
  readonly heldSelectedBytes: number;
  /** First copies of blocks, by where they came from. */
  readonly bytesFromPeers: number;
  readonly bytesFromHttp: number;
  /** Pieces thrown away for a wrong hash. */
  readonly wastedBytes: number;
  readonly uploadedBytes: number;
  readonly downloadBytesPerSecond: number;
  readonly uploadBytesPerSecond: number;
  /** Connected peers, those with everything included. */
  readonly peers: number;
  /** Connected peers that have everything. */
  readonly seeds: number;
  /** Streams that read now. */
  readonly readers: number;
}

/** One file of a torrent whose metadata is known. */
export interface FileStats {
  /** As selections name it: pad files count, though they are not listed. */
  readonly index: number;
  /** For display, below the torrent's name. */
  readonly path: readonly string[];
  readonly lengthBytes: number;
  readonly priority: FilePriority;
  /** Bytes of it in storage. */
  readonly heldBytes: number;
}

/** A connected peer's numbers at one moment. Sums count from when it connected; rates are of the last three seconds. */
export interface PeerStats {
  /** Unlike that of any other source of the engine's, for as long as it runs. */
  readonly id: number;
  /** Name and version as the peer says, for display. */
  readonly client: string;
  /** Undefined where the address is hidden or meaningless. */
  readonly address: PeerAddress | undefined;
  readonly transport: TransportKind;
  /** We opened the connection. */
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

/** A torrent's numbers at this moment; `content` is undefined before the metadata is known. */
export function describeTorrent(
  content: Content | undefined,
  traffic: Traffic,
  peers: ReadonlySet<Peer>,
  nowMs: number,
): TorrentStats {
  const have = content?.store.have;
  return {
    totalBytes: content?.info.totalBytes,
    pieceCount: content?.info.pieceCount,
    heldPieces: have?.count ?? 0,
    uncheckedPieces: content?.upkeep.uncheckedPieces ?? 0,
    progress: have === undefined ? 0 : have.count / have.length,
    selectedBytes: content?.wishes.selectedBytes,
    heldSelectedBytes: content?.wishes.heldBytes ?? 0,
    bytesFromPeers: traffic.bytesFromPeers,
    bytesFromHttp: traffic.bytesFromHttp,
    wastedBytes: traffic.wastedBytes,
    uploadedBytes: traffic.uploaded.totalBytes,
    downloadBytesPerSecond: traffic.downloaded.bytesPerSecond(nowMs),
    uploadBytesPerSecond: traffic.uploaded.bytesPerSecond(nowMs),
    peers: peers.size,
    seeds: [...peers].filter((peer) => peer.isSeed).length,
    readers: content?.readerCount ?? 0,
  };
}

/** Its files in order, pad files and links left out. */
export function describeFiles({ info, wishes, store }: Content): FileStats[] {
  const { priorities } = wishes;
  return info.files.flatMap(({ path, lengthBytes, offsetBytes, isPad, isSymlink }, index) => {
    if (isPad || isSymlink === true) return [];
    const heldBytes = store.heldBytesOf(offsetBytes, offsetBytes + lengthBytes);
    return [{ index, path, lengthBytes, priority: priorities[index] ?? 'normal', heldBytes }];
  });
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
