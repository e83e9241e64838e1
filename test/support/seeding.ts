/**
 * A seeder over real blobs on the disk, and leechers that come to it over TCP. Invariant: what a test opens here is
 * closed after it.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { afterEach } from 'vitest';
import { subtleHasher } from '../../src/adapters/browser/subtle-hasher.ts';
import { FsBlobStore } from '../../src/adapters/fs/blob-store.ts';
import { nodeDisk } from '../../src/adapters/fs/disk.ts';
import { FilePieceStorage } from '../../src/adapters/fs/piece-storage.ts';
import { Volume } from '../../src/adapters/fs/volume.ts';
import { NodeMseCrypto } from '../../src/adapters/node-crypto/mse-crypto.ts';
import { TcpDialer } from '../../src/adapters/tcp/dialer.ts';
import { ConnectionLimits } from '../../src/adapters/tcp/limits.ts';
import { TcpListener } from '../../src/adapters/tcp/listener.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Emitter } from '../../src/base/emitter.ts';
import {
  parseSha256,
  parseSwarmKey,
  parseUploadId,
  type Sha256,
  type SwarmKey,
  swarmKeyOf,
} from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { canonicalInfo, canonicalPieceLength } from '../../src/codec/canonical.ts';
import { infoHashV1Of } from '../../src/codec/metainfo.ts';
import { parseTorrentInfo } from '../../src/codec/torrent-info.ts';
import type { MediaEvents, TorrentRow } from '../../src/media/medium.ts';
import { obfuscatedKeyOf } from '../../src/media/obfuscated-keys.ts';
import { type SeedCatalogue, Seeding, type SeedingOptions } from '../../src/media/seeding.ts';
import {
  Engine,
  type EngineOptions,
  type EnginePorts,
  type Torrent,
  type TorrentMode,
} from '../../src/torrent/index.ts';
import { seededBytes } from './random-bytes.ts';
import { testFolder } from './temp-dir.ts';

export const OURS = { host: '127.0.0.1', port: 24244 };
export const UNKNOWN = parseSwarmKey('00'.repeat(20));

/** Run after the test, the last one first. */
export const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

export const portsWith = (dialers: EnginePorts['dialers'] = []): EnginePorts => ({
  mse: new NodeMseCrypto(),
  clock: systemClock,
  hasher: subtleHasher,
  log: silentLog,
  random: Math.random,
  dialers,
});

/** Real blobs on the disk, and rows about them as Media keeps them. */
export class Catalogue implements SeedCatalogue {
  readonly events = new Emitter<MediaEvents>();
  readonly rows = new Map<SwarmKey, TorrentRow>();
  readonly verified: Sha256[] = [];
  openReaders = 0;
  /** Times a blob was opened: once to wake, once to sample, then as peers ask. */
  opened = 0;
  mostOpen = 0;
  lookUps = 0;
  readonly root: string;
  readonly #store: FsBlobStore;

  constructor(root: string, store: FsBlobStore) {
    this.root = root;
    this.#store = store;
  }

  static async open(): Promise<Catalogue> {
    const root = await testFolder('seeding');
    return new Catalogue(root, await FsBlobStore.open({ root }));
  }

  async store(seed: string, sizeBytes: number): Promise<TorrentRow> {
    const bytes = seededBytes(seed, sizeBytes);
    const sha256 = parseSha256(createHash('sha256').update(bytes).digest('hex'));
    const part = await this.#store.openPart(parseUploadId(sha256.slice(0, 32)));
    await part.write([bytes], 0);
    await part.commit(sha256);
    const pieceLengthBytes = canonicalPieceLength(sizeBytes);
    const digests: Uint8Array[] = [];
    for (let at = 0; at < sizeBytes; at += pieceLengthBytes)
      digests.push(await subtleHasher.sha1(bytes.slice(at, at + pieceLengthBytes)));
    const pieces = new Uint8Array(Buffer.concat(digests));
    const infoHash = await infoHashV1Of(canonicalInfo({ sha256, sizeBytes, pieces }));
    const row = { sha256, infoHash, sizeBytes, pieceLengthBytes, pieces };
    this.rows.set(swarmKeyOf(infoHash), row);
    return row;
  }

  torrentByKey(key: SwarmKey): TorrentRow | undefined {
    this.lookUps++;
    return this.rows.get(key);
  }

  hasTorrent(key: SwarmKey): boolean {
    return this.rows.has(key);
  }

  keyByObfuscated(obfuscatedKey: string): SwarmKey | undefined {
    this.lookUps++;
    return [...this.rows].find(([, { infoHash }]) => obfuscatedKeyOf(infoHash) === obfuscatedKey)?.[0];
  }

  async openBlob(sha256: Sha256): ReturnType<SeedCatalogue['openBlob']> {
    this.openReaders++;
    this.mostOpen = Math.max(this.mostOpen, this.openReaders);
    const reader = await this.#store.open(sha256);
    if (reader === undefined) {
      this.openReaders--;
      return undefined;
    }
    this.opened++;
    const close = reader.close.bind(reader);
    reader.close = () => {
      this.openReaders--;
      return close();
    };
    return Object.assign(reader, { [Symbol.asyncDispose]: () => reader.close() });
  }

  verify(sha256: Sha256): ReturnType<SeedCatalogue['verify']> {
    this.verified.push(sha256);
    return Promise.resolve('damaged');
  }
}

export function seedingOf(media: SeedCatalogue, options: Partial<SeedingOptions> = {}): Seeding {
  const seeding = new Seeding({
    media,
    hasher: subtleHasher,
    clock: systemClock,
    log: silentLog,
    random: () => 0.5,
    createEngine: (finder) => new Engine({ ports: portsWith(), ...finder }),
    peerAddressFor: () => OURS,
    ...options,
  });
  cleanups.push(() => seeding.stop());
  return seeding;
}

/** Connects to the seeder over TCP; `sha256` is that of what came. */
export async function download(
  seeding: Seeding,
  row: TorrentRow,
  mode: TorrentMode = 'all',
  encryption: EngineOptions['encryption'] = 'off',
): Promise<{ torrent: Torrent; sha256: () => Promise<string> }> {
  const limits = new ConnectionLimits({ maxPerAddress: 100 });
  const listener = await TcpListener.open({
    host: '127.0.0.1',
    port: 0,
    limits,
    log: silentLog,
    accept: (socket) => seeding.engine.accept(socket),
  });
  const engine = new Engine({ ports: portsWith([new TcpDialer({ limits })]), encryption });
  cleanups.push(
    () => listener.close(),
    () => engine.stop(),
  );
  const file = path.join(await testFolder('leech'), 'file');
  const placed = [{ file, lengthBytes: row.sizeBytes, offsetBytes: 0 }];
  const storage = new FilePieceStorage(new Volume(nodeDisk, silentLog), placed, 'write');
  await storage.prepare();
  const info = parseTorrentInfo(canonicalInfo(row));
  const torrent = engine.add({ v1: row.infoHash, info, storage, have: 'none', mode, peers: [listener.address] });
  const sha256 = async (): Promise<string> => {
    const bytes = new Uint8Array(row.sizeBytes);
    await storage.read([bytes], 0);
    return createHash('sha256').update(bytes).digest('hex');
  };
  return { torrent, sha256 };
}
