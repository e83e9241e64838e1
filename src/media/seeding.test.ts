import { writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { testFolder } from '../../test/support/temp-dir.ts';
import { subtleHasher } from '../adapters/browser/subtle-hasher.ts';
import { FsBlobStore } from '../adapters/fs/blob-store.ts';
import { nodeDisk } from '../adapters/fs/disk.ts';
import { NodeMseCrypto } from '../adapters/node-crypto/mse-crypto.ts';
import { FilePieceStorage } from '../adapters/fs/piece-storage.ts';
import { Volume } from '../adapters/fs/volume.ts';
import { TcpDialer } from '../adapters/tcp/dialer.ts';
import { ConnectionLimits } from '../adapters/tcp/limits.ts';
import { TcpListener } from '../adapters/tcp/listener.ts';
import { systemClock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { StorageFailed, Unavailable } from '../base/errors.ts';
import { parseSha256, parseSwarmKey, parseUploadId, type Sha256, type SwarmKey, swarmKeyOf } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import { canonicalInfo, canonicalPieceLength } from '../codec/canonical.ts';
import { infoHashV1Of } from '../codec/metainfo.ts';
import { parseTorrentInfo } from '../codec/torrent-info.ts';
import { Engine, type EngineOptions, type EnginePorts, type Torrent, type TorrentMode } from '../torrent/index.ts';
import type { MediaEvents, TorrentRow } from './medium.ts';
import { obfuscatedKeyOf } from './obfuscated-keys.ts';
import {
  type OfferAnswerer,
  type SeedCatalogue,
  Seeding,
  SEEDING_CAPS,
  type SeedingOptions,
  type TorrentFinder,
} from './seeding.ts';

const OURS = { host: '127.0.0.1', port: 24244 };
const UNKNOWN = parseSwarmKey('00'.repeat(20));

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const portsWith = (dialers: EnginePorts['dialers'] = []): EnginePorts => ({
  mse: new NodeMseCrypto(),
  clock: systemClock,
  hasher: subtleHasher,
  log: silentLog,
  random: Math.random,
  dialers,
});

/** Real blobs on the disk, and rows about them as Media keeps them. */
class Catalogue implements SeedCatalogue {
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

function seedingOf(media: SeedCatalogue, options: Partial<SeedingOptions> = {}): Seeding {
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
async function download(
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

describe('the seeder', () => {
  test('wakes for a handshake and serves the stored bytes', async () => {
    const media = await Catalogue.open();
    const row = await media.store('wakes', 3_000_000);
    const seeding = seedingOf(media);
    expect(seeding.stats.awake).toBe(0);
    const { torrent, sha256 } = await download(seeding, row);
    await eventually('downloaded', () => torrent.isComplete);
    expect(await sha256()).toBe(row.sha256);
    expect(seeding.stats.awake).toBe(1);
    expect(seeding.stats.uploadedBytes).toBeGreaterThanOrEqual(3_000_000);
  });

  test.each(['prefer', 'require'] as const)('wakes for an encrypted handshake (%s)', async (encryption) => {
    const media = await Catalogue.open();
    await media.store('another', 10_000);
    const row = await media.store('encrypted', 500_000);
    const seeding = seedingOf(media);
    const { torrent, sha256 } = await download(seeding, row, 'all', encryption);
    await eventually('downloaded', () => torrent.isComplete);
    expect(await sha256()).toBe(row.sha256);
    expect(seeding.stats.awake).toBe(1);
  });

  test('looks up a few unknown torrents a second for one address, however it asks, and goes on for others', async () => {
    const media = await Catalogue.open();
    const row = await media.store('known', 50_000);
    const clock = new FakeClock();
    const finders: TorrentFinder[] = [];
    const createEngine: SeedingOptions['createEngine'] = (finder) => {
      finders.push(finder);
      return new Engine({ ports: portsWith(), ...finder });
    };
    seedingOf(media, { clock, createEngine });
    const [finder] = finders;
    const ask = async (host: string, times: number): Promise<number> => {
      const before = media.lookUps;
      for (let time = 0; time < times; time++) {
        const remote = { host, port: 1_000 + time };
        if (time % 2 === 0) expect(await finder?.wake(UNKNOWN, remote)).toBeUndefined();
        else expect(await finder?.resolveObfuscated(new Uint8Array(20), remote)).toBeUndefined();
      }
      return media.lookUps - before;
    };
    expect([await ask('192.0.2.1', 100), await ask('192.0.2.2', 10)]).toEqual([20, 10]);
    const key = swarmKeyOf(row.infoHash);
    expect(await finder?.wake(key, { host: '192.0.2.1', port: 1 })).toBeUndefined();
    expect(await finder?.wake(key, { host: '192.0.2.3', port: 1 })).toBeDefined();
    expect(await finder?.wake(key, { host: '192.0.2.1', port: 1 })).toBeDefined(); // it is awake: costs no look-up
    clock.advance(1_000);
    expect(await ask('192.0.2.1', 100)).toBe(20);
  });

  test('wakes a torrent once, however many ask at once', async () => {
    const media = await Catalogue.open();
    const row = await media.store('once', 500_000);
    const seeding = seedingOf(media);
    const torrents = await Promise.all(Array.from({ length: 20 }, () => seeding.wake(swarmKeyOf(row.infoHash))));
    expect(new Set(torrents).size).toBe(1);
    expect(seeding.engine.torrents).toHaveLength(1);
  });

  test('knows nothing of torrents without a row, or whose bytes are gone', async () => {
    const media = await Catalogue.open();
    const row = await media.store('gone', 500_000);
    const seeding = seedingOf({
      events: media.events,
      torrentByKey: (key) => media.torrentByKey(key),
      hasTorrent: (key) => media.hasTorrent(key),
      keyByObfuscated: (obfuscatedKey) => media.keyByObfuscated(obfuscatedKey),
      openBlob: () => Promise.resolve(undefined),
      verify: (sha256) => media.verify(sha256),
    });
    expect(await seeding.wake(UNKNOWN)).toBeUndefined();
    expect(await seeding.wake(swarmKeyOf(row.infoHash))).toBeUndefined();
    expect(seeding.engine.torrents).toEqual([]);
  });

  test('puts an idle torrent to sleep and wakes it again; one with peers stays', async () => {
    const media = await Catalogue.open();
    const [idle, busy] = [await media.store('idle', 400_000), await media.store('busy', 400_000)];
    const clock = new FakeClock();
    const seeding = seedingOf(media, { clock, idleMs: 60_000 });
    await seeding.wake(swarmKeyOf(idle.infoHash));
    const { torrent } = await download(seeding, busy, 'on-demand'); // connected, wanting nothing
    await eventually('connected, and sampled', () => torrent.peerCount === 1 && media.opened === 4);
    await clock.advanceAsync(90_000);
    await eventually('asleep', () => seeding.stats.awake === 1);
    expect(seeding.engine.get(swarmKeyOf(busy.infoHash))).toBeDefined();
    expect(await seeding.wake(swarmKeyOf(idle.infoHash))).toBeDefined();
  });

  test('makes room for a new torrent by putting the longest idle one to sleep', async () => {
    const media = await Catalogue.open();
    const keys: SwarmKey[] = [];
    for (const seed of ['a', 'b', 'c']) keys.push(swarmKeyOf((await media.store(seed, 300_000)).infoHash));
    const clock = new FakeClock();
    const seeding = seedingOf(media, { clock, maxAwake: 2 });
    for (const key of keys) {
      await seeding.wake(key);
      clock.advance(1_000);
    }
    const awake = (): boolean[] => keys.map((key) => seeding.engine.get(key) !== undefined);
    await eventually('the first sleeps', () => awake()[0] === false);
    expect(awake()).toEqual([false, true, true]);
  });

  test('torrents that are awake hold no file open', async () => {
    const media = await Catalogue.open();
    const seeding = seedingOf(media);
    for (let index = 0; index < 20; index++)
      await seeding.wake(swarmKeyOf((await media.store(`open ${index}`, 50_000)).infoHash));
    await eventually('all are sampled', () => media.opened === 40 && media.openReaders === 0);
    expect(seeding.stats.awake).toBe(20);
  });

  test('a crowd wakes a few at a time, and never more than may be awake', async () => {
    const media = await Catalogue.open();
    const keys: SwarmKey[] = [];
    for (let index = 0; index < 100; index++)
      keys.push(swarmKeyOf((await media.store(`crowd ${index}`, 20_000)).infoHash));
    let mostAwake = 0;
    const seeding = seedingOf(media, { maxAwake: 30 });
    const woken = keys.map(async (key) => {
      const torrent = await seeding.wake(key);
      mostAwake = Math.max(mostAwake, seeding.stats.awake);
      return torrent;
    });
    expect((await Promise.all(woken)).filter((torrent) => torrent === undefined)).toEqual([]);
    expect(mostAwake).toBe(30);
    expect(media.mostOpen).toBeLessThanOrEqual(17); // 16 that wake, one sample
  });

  test('when everything awake has peers, a newcomer is refused and nobody loses a peer', async () => {
    const media = await Catalogue.open();
    const [busy, late] = [await media.store('busy', 400_000), await media.store('late', 400_000)];
    const seeding = seedingOf(media, { maxAwake: 1 });
    const { torrent } = await download(seeding, busy, 'on-demand');
    await eventually('connected', () => torrent.peerCount === 1);
    expect(await seeding.wake(swarmKeyOf(late.infoHash))).toBeUndefined();
    expect([seeding.stats.awake, seeding.stats.peers]).toEqual([1, 1]);
  });

  test('a torrent that is falling asleep wakes again for who comes in that moment', async () => {
    const media = await Catalogue.open();
    const row = await media.store('drowsy', 400_000);
    const key = swarmKeyOf(row.infoHash);
    const seeding = seedingOf(media);
    const before = await seeding.wake(key);
    if (before === undefined) throw new Error('it did not wake');
    const lastRead = Promise.withResolvers<void>();
    const stop = before.stop.bind(before);
    before.stop = () => lastRead.promise.then(stop);
    media.events.emit('removed', { sha256: row.sha256, infoHash: row.infoHash });
    const waking = seeding.wake(key);
    for (const other of ['b', 'c']) await seeding.wake(swarmKeyOf((await media.store(other, 50_000)).infoHash));
    lastRead.resolve();
    const after = await waking;
    expect([before.isStopped, after?.isStopped]).toEqual([true, false]);
  });

  test('drops a torrent whose blob was removed, with its peers', async () => {
    const media = await Catalogue.open();
    const row = await media.store('removed', 400_000);
    const seeding = seedingOf(media);
    const { torrent } = await download(seeding, row, 'on-demand');
    await eventually('connected', () => torrent.peerCount === 1);
    media.rows.clear();
    media.events.emit('removed', { sha256: row.sha256, infoHash: row.infoHash });
    await eventually('dropped', () => seeding.stats.awake === 0 && torrent.peerCount === 0);
    expect(seeding.addressFor(swarmKeyOf(row.infoHash), '127.0.0.1')).toBeUndefined();
  });

  test('finds changed bytes by a sample, stops serving them and has them checked', async () => {
    const media = await Catalogue.open();
    const row = await media.store('rotten', 400_000);
    const { sha256 } = row;
    await writeFile(
      path.join(media.root, 'blobs', sha256.slice(0, 2), sha256.slice(2, 4), sha256),
      seededBytes('x', 400_000),
    );
    const seeding = seedingOf(media);
    await seeding.wake(swarmKeyOf(row.infoHash));
    await eventually('quarantined', () => media.verified.length > 0 && seeding.stats.awake === 0);
    expect(media.verified).toEqual([sha256]);
  });

  test('leaves intact bytes alone', async () => {
    const media = await Catalogue.open();
    const row = await media.store('sound', 400_000);
    const seeding = seedingOf(media);
    await seeding.wake(swarmKeyOf(row.infoHash));
    await eventually('sampled', () => media.opened === 2 && media.openReaders === 0);
    expect(media.verified).toEqual([]);
    expect(seeding.stats.awake).toBe(1);
  });

  test('a sample that cannot be taken keeps no other torrent from its turn', async () => {
    const media = await Catalogue.open();
    const keys: SwarmKey[] = [];
    for (const seed of ['unreadable', 'b', 'c']) keys.push(swarmKeyOf((await media.store(seed, 300_000)).infoHash));
    const sampled: string[] = [];
    const hasher = {
      ...subtleHasher,
      sha1: (bytes: Uint8Array<ArrayBuffer>) => {
        sampled.push('piece');
        return sampled.length === 1 ? Promise.reject(new StorageFailed('no')) : subtleHasher.sha1(bytes);
      },
    };
    const seeding = seedingOf(media, { hasher });
    for (const key of keys) await seeding.wake(key);
    await eventually('all had their turn', () => sampled.length === 5 && media.openReaders === 0);
    expect(seeding.stats.awake).toBe(3);
    expect(await seeding.wake(swarmKeyOf((await media.store('later', 100_000)).infoHash))).toBeDefined();
    await eventually('and so has one that wakes later', () => sampled.length === 6);
  });

  test('after stop nothing is open and nothing wakes', async () => {
    const media = await Catalogue.open();
    const row = await media.store('stop', 400_000);
    const clock = new FakeClock();
    const seeding = seedingOf(media, { clock });
    await seeding.wake(swarmKeyOf(row.infoHash));
    await seeding.stop();
    expect(media.openReaders).toBe(0);
    expect(clock.pending).toBe(0);
    expect(await seeding.wake(swarmKeyOf(row.infoHash))).toBeUndefined();
  });
});

describe('the seeder at our tracker', () => {
  const sink = { answer: () => undefined, candidate: () => undefined };

  function answering(): { answerer: OfferAnswerer; offers: string[]; end: (() => void)[] } {
    const offers: string[] = [];
    const end: (() => void)[] = [];
    const answerer: OfferAnswerer = {
      answer: (offer, way) => {
        if (offer.sdp === 'full') throw new Unavailable('no room');
        offers.push(offer.sdp);
        end.push(() => way.closed());
        return { addCandidate: () => undefined };
      },
    };
    return { answerer, offers, end };
  }

  test('is named for what it holds, where the peer can reach it', async () => {
    const media = await Catalogue.open();
    const row = await media.store('address', 300_000);
    const seeding = seedingOf(media, { peerAddressFor: (host) => (host === '192.0.2.1' ? OURS : undefined) });
    const key = swarmKeyOf(row.infoHash);
    expect(seeding.addressFor(key, '192.0.2.1')).toEqual(OURS);
    expect(seeding.addressFor(key, '203.0.113.9')).toBeUndefined();
    expect(seeding.addressFor(UNKNOWN, '192.0.2.1')).toBeUndefined();
  });

  test('answers a browser once while it is connected, and wakes the torrent meanwhile', async () => {
    const media = await Catalogue.open();
    const row = await media.store('offer', 300_000);
    const { answerer, offers, end } = answering();
    const seeding = seedingOf(media, { answerer });
    const offer = { swarmKey: swarmKeyOf(row.infoHash), peerId: 'alice', sdp: 'one', trickle: true };
    expect(seeding.answer(offer, sink)).toBeDefined();
    expect(seeding.answer({ ...offer, sdp: 'two' }, sink)).toBeUndefined();
    expect(seeding.answer({ ...offer, sdp: 'other', peerId: 'bob' }, sink)).toBeDefined();
    end[0]?.();
    expect(seeding.answer({ ...offer, sdp: 'three' }, sink)).toBeDefined();
    expect(offers).toEqual(['one', 'other', 'three']);
    await eventually('awake', () => seeding.stats.awake === 1);
  });

  test.each([
    ['for a torrent it does not hold', { swarmKey: UNKNOWN, sdp: 'one' }],
    ['when WebRTC has no room', { sdp: 'full' }],
  ])('does not answer %s', async (_why, change) => {
    const media = await Catalogue.open();
    const row = await media.store('no', 300_000);
    const seeding = seedingOf(media, { answerer: answering().answerer });
    const offer = { swarmKey: swarmKeyOf(row.infoHash), peerId: 'alice', sdp: 'one', trickle: true };
    expect(seeding.answer({ ...offer, ...change }, sink)).toBeUndefined();
  });
});

describe('a leecher that told our tracker where it listens', () => {
  async function listening() {
    const media = await Catalogue.open();
    const row = await media.store('call back', 300_000);
    const clock = new FakeClock();
    const dialer = new TcpDialer({ limits: new ConnectionLimits() });
    const createEngine: SeedingOptions['createEngine'] = (finder) =>
      new Engine({ ports: portsWith([dialer]), ...finder });
    const seeding = seedingOf(media, { clock, createEngine });
    const calls: number[] = [];
    const listener = await TcpListener.open({
      host: '127.0.0.1',
      port: 0,
      limits: new ConnectionLimits(),
      log: silentLog,
      accept: () => calls.push(clock.monotonicMs()),
    });
    cleanups.push(() => listener.close());
    return { seeding, clock, calls, key: swarmKeyOf(row.infoHash), address: listener.address };
  }

  test('is called back when it has not come by itself after a while', async () => {
    const { seeding, clock, calls, key, address } = await listening();
    seeding.wanted(key, address);
    seeding.wanted(key, address);
    await clock.advanceAsync(3_999);
    expect(calls).toEqual([]);
    await clock.advanceAsync(1);
    await eventually('it is dialled', () => calls.length > 0);
    expect(calls).toEqual([4_000]);
  });

  test('only so many leechers are waited for', async () => {
    const { seeding, clock, key } = await listening();
    const before = clock.pending;
    for (let index = 0; index < 600; index++)
      seeding.wanted(key, { host: `192.0.${index >> 8}.${index & 255}`, port: 1 });
    await clock.advanceAsync(0);
    expect(clock.pending - before).toBe(SEEDING_CAPS.callBacks);
  });

  test('finds the torrent awake when it comes', async () => {
    const { seeding, key } = await listening();
    seeding.wanted(key, undefined);
    await eventually('awake', () => seeding.engine.get(key) !== undefined);
  });

  test('wakes nothing ahead once half of the places are taken', async () => {
    const media = await Catalogue.open();
    const keys: SwarmKey[] = [];
    for (const seed of 'abcd') keys.push(swarmKeyOf((await media.store(seed, 50_000)).infoHash));
    const seeding = seedingOf(media, { maxAwake: 4 });
    for (const [index, key] of keys.entries())
      if (index === 2) seeding.wanted(key, undefined);
      else await seeding.wake(key);
    expect(keys.map((key) => seeding.engine.get(key) !== undefined)).toEqual([true, true, false, true]);
  });

  test('is left alone when we do not seed what it wants', async () => {
    const { seeding, clock, calls, address } = await listening();
    seeding.wanted(UNKNOWN, address);
    await clock.advanceAsync(60_000);
    expect([calls, seeding.stats.awake]).toEqual([[], 0]);
  });
});
