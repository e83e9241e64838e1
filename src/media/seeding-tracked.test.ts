/** The seeder and those who come by our own tracker: whom it answers, calls back and wakes for. */
import { describe, expect, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Catalogue, cleanups, OURS, portsWith, seedingOf, UNKNOWN } from '../../test/support/seeding.ts';
import { TcpDialer } from '../adapters/tcp/dialer.ts';
import { ConnectionLimits } from '../adapters/tcp/limits.ts';
import { TcpListener } from '../adapters/tcp/listener.ts';
import { Unavailable } from '../base/errors.ts';
import { type SwarmKey, swarmKeyOf } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import { Engine } from '../torrent/index.ts';
import { type OfferAnswerer, SEEDING_CAPS, type SeedingOptions } from './seeding.ts';

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
    const offer = {
      swarmKey: swarmKeyOf(row.infoHash),
      peerId: 'alice',
      sdp: 'one',
      trickle: true,
      remoteHost: '192.0.2.9',
    };
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
    const offer = {
      swarmKey: swarmKeyOf(row.infoHash),
      peerId: 'alice',
      sdp: 'one',
      trickle: true,
      remoteHost: '192.0.2.9',
    };
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
