import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { utf8 } from '../../base/bytes.ts';
import { Unavailable } from '../../base/errors.ts';
import { parseSwarmKey, type SwarmKey } from '../../base/ids.ts';
import { silentLog } from '../../base/log.ts';
import type { Announce, AnnounceAnswer } from '../../codec/announce.ts';
import { Announcer, type Announcing } from './announcer.ts';
import { type TrackerClient, TrackerRefused } from './client.ts';

const KEY = parseSwarmKey('00000000' + '89abcdef'.repeat(4)); // its place is the end of each interval
const PEERS = [{ host: '93.184.215.14', port: 6881 }];
const ANNOUNCE = {
  peerId: utf8('-SB0100-abcdefghijkl'),
  port: 24244,
  uploadedBytes: 1,
  downloadedBytes: 2,
  leftBytes: 3,
};

interface Scripted extends TrackerClient {
  readonly heard: Announce[];
  readonly events: string[];
  /** Undefined: it answers. */
  failure: Error | undefined;
  /** Until it is let go. */
  hold: Promise<void> | undefined;
  inFlight: number;
  mostInFlight: number;
}

function scripted(url: string): Scripted {
  const answer: AnnounceAnswer = { kind: 'answer', intervalSec: 600, peers: PEERS };
  const heard: Announce[] = [];
  return {
    url,
    heard,
    get events() {
      return heard.map(({ event }) => event);
    },
    failure: undefined,
    hold: undefined,
    inFlight: 0,
    mostInFlight: 0,
    async announce(announce) {
      heard.push(announce);
      this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
      await this.hold;
      this.inFlight--;
      if (this.failure !== undefined) throw this.failure;
      return answer;
    },
    scrape: () => Promise.reject(new Unavailable('no')),
  };
}

interface World {
  readonly announcer: Announcer;
  readonly clock: FakeClock;
  readonly found: unknown[];
  readonly add: (tiers: readonly (readonly TrackerClient[])[], key?: SwarmKey) => Announcing;
}

function world(): World {
  const clock = new FakeClock();
  const found: unknown[] = [];
  const announcer = new Announcer({ clock, log: silentLog, random: () => 0 });
  const add: World['add'] = (tiers, key = KEY) =>
    announcer.add({ key, tiers, describe: () => ANNOUNCE, found: (peers) => found.push(...peers) });
  return { announcer, clock, found, add };
}

describe('the announcer', () => {
  test('says started, updates at the interval, completed at once and once, stopped at the end', async () => {
    const tracker = scripted('http://a');
    const { announcer, clock, found, add } = world();
    const announcing = add([[tracker]]);
    await clock.advanceAsync(0);
    expect(found).toEqual(PEERS);
    await clock.advanceAsync(600_000);
    announcing.completed();
    announcing.completed();
    await clock.advanceAsync(0);
    await announcer.stop();
    expect(tracker.events).toEqual(['started', 'update', 'completed', 'stopped']);
    expect(tracker.heard.at(-1)).toMatchObject({ swarmKey: KEY, numWant: 0 });
    expect(clock.pending).toBe(0);
  });

  test('uses the second of a tier when the first is down, keeps it, and asks every tier', async () => {
    const [down, up, other] = [scripted('http://down'), scripted('http://up'), scripted('http://other')];
    down.failure = new Unavailable('down');
    const { announcer, clock, add } = world();
    add([[up, down], [other]]); // a draw of 0 turns a tier of two round
    await clock.advanceAsync(600_000);
    await announcer.stop();
    expect(down.events).toEqual(['started']);
    expect(up.events).toEqual(['started', 'update', 'stopped']);
    expect(other.events).toEqual(['started', 'update', 'stopped']);
  });

  test('waits longer after each failure and starts anew after a success', async () => {
    const tracker = scripted('http://a');
    tracker.failure = new Unavailable('down');
    const { announcer, clock, add } = world();
    add([[tracker]]);
    await clock.advanceAsync(14_999);
    expect(tracker.events).toHaveLength(1);
    await clock.advanceAsync(1);
    expect(tracker.events).toHaveLength(2);
    await clock.advanceAsync(30_000);
    expect(tracker.events).toHaveLength(3);
    await announcer.stop();
    expect(tracker.events).toHaveLength(3); // no goodbye to one that never knew us
    expect(clock.pending).toBe(0);
  });

  test('comes back when a tracker says so (BEP 31), and asks it for other torrents meanwhile', async () => {
    const tracker = scripted('http://a');
    tracker.failure = new TrackerRefused({ kind: 'failure', reason: 'not yet', retryInMinutes: 10 });
    const { clock, add } = world();
    add([[tracker]]);
    await clock.advanceAsync(599_999);
    expect(tracker.events).toHaveLength(1);
    add([[tracker]], parseSwarmKey('f'.repeat(40)));
    await clock.advanceAsync(0);
    expect(tracker.events).toHaveLength(2);
    await clock.advanceAsync(1);
    expect(tracker.events).toHaveLength(3);
  });
});

describe('thousands of torrents', () => {
  const keyOf = (at: number): SwarmKey =>
    parseSwarmKey(
      Math.floor(((at * 0.618_034) % 1) * 2 ** 32)
        .toString(16)
        .padStart(8, '0') + '0'.repeat(32),
    );

  test('cost one timer, stand in line at a tracker, and spread over its interval', async () => {
    const tracker = scripted('http://a');
    const { announcer, clock, add } = world();
    for (let at = 0; at < 2_000; at++) add([[tracker]], keyOf(at));
    expect(clock.pending).toBe(1);
    await clock.advanceAsync(1_000);
    for (let turn = 0; turn < 500 && tracker.heard.length < 2_000; turn++) await clock.advanceAsync(0);
    expect(tracker.heard).toHaveLength(2_000);
    expect(tracker.mostInFlight).toBe(4);
    expect(clock.pending).toBe(1);
    await clock.advanceAsync(310_000);
    const early = tracker.heard.length;
    await clock.advanceAsync(10_000);
    const inTenSeconds = tracker.heard.length - early; // 2,000 over 300 s are 67
    expect(inTenSeconds).toBeGreaterThan(50);
    expect(inTenSeconds).toBeLessThan(90);
    const stopping = announcer.stop();
    await clock.advanceAsync(2_000);
    await stopping;
    expect(clock.pending).toBe(0);
  });

  test('find out together that a tracker is down: it is asked by four, and later by few', async () => {
    const tracker = scripted('http://a');
    const released = Promise.withResolvers<void>();
    tracker.hold = released.promise;
    tracker.failure = new Unavailable('down');
    const { announcer, clock, add } = world();
    for (let at = 0; at < 1_000; at++) add([[tracker]], keyOf(at));
    await clock.advanceAsync(0);
    expect(tracker.heard).toHaveLength(4);
    tracker.hold = undefined;
    released.resolve();
    await clock.advanceAsync(14_999);
    expect(tracker.heard).toHaveLength(4);
    await clock.advanceAsync(5_000);
    expect(tracker.heard.length).toBeLessThanOrEqual(8);
    await announcer.stop();
    expect(clock.pending).toBe(0);
  });

  test('one of them that is stopped says goodbye alone', async () => {
    const tracker = scripted('http://a');
    const { clock, add } = world();
    const announcings = [0, 1, 2].map((at) => add([[tracker]], keyOf(at)));
    await clock.advanceAsync(0);
    await announcings[1]?.stop();
    await clock.advanceAsync(600_000);
    expect(tracker.heard.filter(({ swarmKey }) => swarmKey === keyOf(1)).map(({ event }) => event)).toEqual([
      'started',
      'stopped',
    ]);
  });
});
