/** Whole engines on a memory network: torrents of seeded bytes, storage in memory, hashing at once. */
import { createHash } from 'node:crypto';
import { NodeMseCrypto } from '../../src/adapters/node-crypto/mse-crypto.ts';
import { silentLog } from '../../src/base/log.ts';
import { StorageFailed } from '../../src/base/errors.ts';
import { concatBytes } from '../../src/base/bytes.ts';
import { swarmKeyOf, type SwarmKey } from '../../src/base/ids.ts';
import { encodeBencode, type BencodeInput } from '../../src/codec/bencode.ts';
import { infoHashesOf, type InfoHashes } from '../../src/codec/metainfo.ts';
import type { TorrentFormat } from '../../src/codec/make-info.ts';
import type { VerifiedLayers } from '../../src/codec/piece-layers.ts';
import { parseTorrentInfo, type TorrentInfo } from '../../src/codec/torrent-info.ts';
import { makeTorrent as makeAnyTorrent } from '../../src/torrent/make-torrent.ts';
import { Engine, type EngineOptions, type Torrent, type TorrentOptions } from '../../src/torrent/index.ts';
import type { Dialer, Hasher, PieceStorage } from '../../src/torrent/ports.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryNetwork, type HostOptions, type MemoryHost } from './memory-network.ts';
import { seededBytes, seededRandom } from './random-bytes.ts';

export const PEER_PORT = 6881;

/** Used between hosts whose transport is `tcp` or `utp`. */
const nodeMseCrypto = new NodeMseCrypto();

/** Synchronous hashing behind the port, so that virtual time does not race real threads. */
export const instantHasher: Hasher = {
  sha1: async (bytes) => new Uint8Array(createHash('sha1').update(bytes).digest()),
  sha256: async (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
};

export class MemoryStorage implements PieceStorage {
  readonly bytes: Uint8Array;
  isClosed = false;
  syncs = 0;
  /** Set to make reads or writes fail. */
  failure: StorageFailed | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  async read(views: readonly Uint8Array[], position: number): Promise<void> {
    if (this.failure) throw this.failure;
    let at = position;
    for (const view of views) {
      if (at + view.length > this.bytes.length) throw new StorageFailed('read past the end');
      view.set(this.bytes.subarray(at, at + view.length));
      at += view.length;
    }
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.failure) throw this.failure;
    this.bytes.set(bytes, position);
  }

  async sync(): Promise<void> {
    this.syncs++;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

export interface TestTorrent {
  readonly hashes: InfoHashes;
  readonly info: TorrentInfo;
  readonly bytes: Uint8Array;
}

export interface TestFile {
  readonly lengthBytes: number;
  /** Zeros that fill up a piece (BEP 47). */
  readonly isPad?: boolean;
}

/** A v1 torrent of seeded bytes: one file, or those listed, which together have `sizeBytes`. */
export async function makeTorrent(
  sizeBytes: number,
  pieceLengthBytes: number,
  options: { readonly seed?: string; readonly isPrivate?: boolean; readonly files?: readonly TestFile[] } = {},
): Promise<TestTorrent> {
  const bytes = seededBytes(options.seed ?? 'torrent', sizeBytes);
  let padsFrom = 0;
  for (const { lengthBytes, isPad } of options.files ?? [])
    bytes.fill(0, isPad ? padsFrom : padsFrom + lengthBytes, (padsFrom += lengthBytes));
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < sizeBytes; at += pieceLengthBytes)
    pieces.push(
      createHash('sha1')
        .update(bytes.subarray(at, at + pieceLengthBytes))
        .digest(),
    );
  const rawInfo = encodeBencode({
    ...(options.files === undefined ? { length: sizeBytes } : { files: options.files.map(describeFile) }),
    name: options.seed ?? 'torrent',
    'piece length': pieceLengthBytes,
    pieces: concatBytes(pieces),
    private: options.isPrivate ? 1 : undefined,
  });
  const info = parseTorrentInfo(rawInfo);
  return { hashes: await infoHashesOf(info), info, bytes };
}

function describeFile({ lengthBytes, isPad }: TestFile, at: number): BencodeInput {
  return { attr: isPad ? 'p' : undefined, length: lengthBytes, path: isPad ? ['.pad', `${at}`] : [`file ${at}`] };
}

export interface Node {
  readonly engine: Engine;
  readonly machine: MemoryHost;
  readonly address: { readonly host: string; readonly port: number };
}

/** Under which a v1 torrent is found. */
export function keyOf({ hashes }: TestTorrent): SwarmKey {
  if (hashes.v1 === undefined) throw new Error('a v1 torrent');
  return swarmKeyOf(hashes.v1);
}

export function seedOn(node: Node, source: TestTorrent, options: Partial<TorrentOptions> = {}): Torrent {
  const storage = new MemoryStorage(source.bytes);
  return node.engine.add({ ...source.hashes, info: source.info, storage, have: 'all', ...options });
}

export function leechOn(node: Node, source: TestTorrent, options: Partial<TorrentOptions> = {}): Torrent {
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  return node.engine.add({ ...source.hashes, info: source.info, storage, have: 'none', ...options });
}

/** A swarm under one virtual clock. */
export class Swarm {
  readonly clock = new FakeClock();
  readonly network = new MemoryNetwork(this.clock);
  readonly #random: () => number;
  #hosts = 0;

  constructor(seed = 1) {
    this.#random = seededRandom(seed);
  }

  /** A machine with an engine that listens, and by default dials from there. */
  addNode(host: HostOptions = {}, options: Partial<EngineOptions> = {}, dialers?: readonly Dialer[]): Node {
    const machine = this.addMachine(host);
    const engine = new Engine({
      ports: {
        clock: this.clock,
        hasher: instantHasher,
        log: silentLog,
        random: this.#random,
        dialers: dialers ?? [machine.dialer],
        mse: nodeMseCrypto,
      },
      listenPort: PEER_PORT,
      ...options,
    });
    machine.listen(PEER_PORT, (socket) => engine.accept(socket));
    return { engine, machine, address: { host: machine.host, port: PEER_PORT } };
  }

  /** A machine without an engine, for hostile or scripted peers. */
  addMachine(host: HostOptions = {}): MemoryHost {
    this.#hosts++;
    return this.network.addHost(`10.0.${this.#hosts >> 8}.${this.#hosts & 0xff}`, host);
  }

  /** Lets virtual time pass until the condition holds. */
  async until(condition: () => boolean, limitMs = 600_000): Promise<number> {
    const startMs = this.clock.monotonicMs();
    await this.clock.advanceAsync(0);
    while (!condition()) {
      if (this.clock.monotonicMs() - startMs > limitMs) throw new Error(`still not after ${limitMs} virtual ms`);
      await this.clock.advanceAsync(5);
    }
    return this.clock.monotonicMs() - startMs;
  }
}

export interface V2TestTorrent extends TestTorrent {
  readonly pieceLayers: VerifiedLayers | undefined;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** A torrent of any format, of one file or several of seeded bytes. */
export async function makeTorrentOf(
  format: TorrentFormat,
  sizes: readonly number[],
  pieceLengthBytes: number,
  { seed = format, isPrivate = false }: { readonly seed?: string; readonly isPrivate?: boolean } = {},
): Promise<V2TestTorrent> {
  const contents = sizes.map((size, index) => seededBytes(`${seed} ${index}`, size));
  const files = contents.map((bytes, index) => ({
    path: sizes.length === 1 ? ['torrent'] : [`file ${index}`],
    lengthBytes: bytes.length,
    read: () => once(bytes),
  }));
  const { info, pieceLayers } = await makeAnyTorrent({
    format,
    name: 'torrent',
    pieceLengthBytes,
    files,
    isPrivate,
    hasher: instantHasher,
  });
  const bytes = new Uint8Array(info.totalBytes);
  for (const [index, file] of info.files.filter(({ isPad }) => !isPad).entries())
    bytes.set(contents[index] ?? new Uint8Array(), file.offsetBytes);
  return { hashes: await infoHashesOf(info), info, bytes, pieceLayers };
}
