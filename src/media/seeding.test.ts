import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { Catalogue, download, portsWith, seedingOf, UNKNOWN } from '../../test/support/seeding.ts';
import { subtleHasher } from '../adapters/browser/subtle-hasher.ts';
import { StorageFailed } from '../base/errors.ts';
import { type SwarmKey, swarmKeyOf } from '../base/ids.ts';
import { Engine } from '../torrent/index.ts';
import type { SeedingOptions, TorrentFinder } from './seeding.ts';

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

  test('a torrent that somebody reads stays awake without peers, and sleeps when the reading is over', async () => {
    const media = await Catalogue.open();
    const [film, late] = [await media.store('film', 400_000), await media.store('late', 400_000)];
    const clock = new FakeClock();
    const seeding = seedingOf(media, { clock, idleMs: 60_000, maxAwake: 1 });
    const torrent = await seeding.wake(swarmKeyOf(film.infoHash));
    const reader = torrent?.read({ start: 0, endExclusive: 400_000 }).getReader();
    await reader?.read();
    expect(await seeding.wake(swarmKeyOf(late.infoHash))).toBeUndefined(); // nobody is cut off for a newcomer
    await clock.advanceAsync(300_000);
    expect([seeding.stats.awake, (await reader?.read())?.done]).toEqual([1, false]);
    await reader?.cancel();
    await clock.advanceAsync(120_000);
    await eventually('asleep', () => torrent?.isStopped === true && seeding.stats.awake === 0);
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

  test('stops serving a blob of which a piece cannot be read any more, and has it checked', async () => {
    const media = await Catalogue.open();
    const row = await media.store('sound', 400_000);
    const seeding = seedingOf(media);
    const torrent = await seeding.wake(swarmKeyOf(row.infoHash));
    torrent?.events.emit('lost', { pieces: [1] });
    await eventually('quarantined', () => media.verified.length > 0 && seeding.stats.awake === 0);
    expect(media.verified).toEqual([row.sha256]);
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
