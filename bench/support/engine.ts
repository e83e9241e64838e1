/** Our engine over TCP, alone: no tracker, no discovery. Encrypted handshakes are offered, as in the product. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { nodeHasher } from '../../src/adapters/node-crypto/hasher.ts';
import { NodeMseCrypto } from '../../src/adapters/node-crypto/mse-crypto.ts';
import { nodeDisk } from '../../src/adapters/fs/disk.ts';
import { FilePieceStorage } from '../../src/adapters/fs/piece-storage.ts';
import { placeFiles } from '../../src/adapters/fs/placement.ts';
import { Volume } from '../../src/adapters/fs/volume.ts';
import { TcpDialer } from '../../src/adapters/tcp/dialer.ts';
import { ConnectionLimits } from '../../src/adapters/tcp/limits.ts';
import { TcpListener } from '../../src/adapters/tcp/listener.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { type InfoHashes, infoHashesOf, parseMetainfo } from '../../src/codec/metainfo.ts';
import { type VerifiedLayers, verifyPieceLayers } from '../../src/codec/piece-layers.ts';
import type { TorrentInfo } from '../../src/codec/torrent-info.ts';
import { Engine, type PeerAddress } from '../../src/torrent/index.ts';

export interface BenchEngine {
  readonly engine: Engine;
  readonly listen: (address: PeerAddress) => Promise<void>;
}

export function createEngine(): BenchEngine {
  const limits = new ConnectionLimits();
  const engine = new Engine({
    ports: {
      clock: systemClock,
      hasher: nodeHasher,
      log: silentLog,
      random: Math.random,
      dialers: [new TcpDialer({ limits })],
      mse: new NodeMseCrypto(),
    },
  });
  return {
    engine,
    listen: async (address) => {
      await TcpListener.open({ ...address, limits, log: silentLog, accept: (socket) => engine.accept(socket) });
    },
  };
}

/** What a .torrent file says, with its identity. */
export interface ReadTorrent {
  readonly info: TorrentInfo;
  readonly hashes: InfoHashes;
  /** Absent in v1. */
  readonly layers: { readonly pieceLayers?: VerifiedLayers };
}

export async function readTorrent(file: string): Promise<ReadTorrent> {
  const { info, pieceLayers } = parseMetainfo(await readFile(file));
  const layers = info.version === 'v1' ? {} : { pieceLayers: await verifyPieceLayers(info, pieceLayers) };
  return { info, hashes: await infoHashesOf(info), layers };
}

export function fileStorage(info: TorrentInfo, folder: string, access: 'read' | 'write'): FilePieceStorage {
  const files = placeFiles(info, path.join(folder, info.name));
  return new FilePieceStorage(new Volume(nodeDisk, silentLog), files, access);
}

export function parseAddress(text: string): PeerAddress {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
}
