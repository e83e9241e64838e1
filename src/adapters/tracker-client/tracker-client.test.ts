import dgram from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { AddressPolicy } from '../../base/address-policy.ts';
import { utf8 } from '../../base/bytes.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { Cancelled, TimedOut, Unavailable } from '../../base/errors.ts';
import { parseSwarmKey } from '../../base/ids.ts';
import { silentLog } from '../../base/log.ts';
import type { Announce, AnnounceAnswer } from '../../codec/announce.ts';
import { encodeCompactPeers } from '../../codec/compact-peers.ts';
import {
  encodeCompactAnswer,
  encodeHttpFailure,
  encodeHttpScrape,
  parseHttpAnnounce,
  parseHttpScrape,
} from '../../codec/tracker-http.ts';
import { decodeUdpRequest, encodeUdpAnswer } from '../../codec/tracker-udp.ts';
import { Guard } from '../guard/guard.ts';
import { Announcer, retryDelayMs } from './announcer.ts';
import type { TrackerClient } from './client.ts';
import { HttpTracker } from './http-tracker.ts';
import { UdpTrackers } from './udp-trackers.ts';

const KEY = parseSwarmKey('0123456789abcdef0123456789abcdef01234567');
const PEER_ID = utf8('-SB0100-abcdefghijkl');
const PEERS = [{ host: '93.184.215.14', port: 6881 }];
const never = new AbortController().signal;
const ANNOUNCE: Announce = {
  swarmKey: KEY,
  peerId: PEER_ID,
  port: 24244,
  uploadedBytes: 1,
  downloadedBytes: 2,
  leftBytes: 3,
  event: 'started',
};

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

function guardOf(clock: Clock = systemClock): Guard {
  const guard = new Guard({ policy: new AddressPolicy(), clock });
  cleanups.push(() => Promise.resolve(guard.close()));
  return guard;
}

async function httpServer(handler: http.RequestListener): Promise<string> {
  const server = http.createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/announce`;
}

describe('an HTTP tracker', () => {
  test('hears the announce and its peers come back', async () => {
    const heard: unknown[] = [];
    const url = await httpServer((request, response) => {
      heard.push(parseHttpAnnounce(request.url?.split('?')[1] ?? ''));
      const peers = encodeCompactPeers(PEERS);
      response.end(encodeCompactAnswer({ intervalSec: 900, seeders: 1, leechers: 2 }, peers.v4, peers.v6));
    });
    const answer = await new HttpTracker(url, guardOf(), 'judged').announce(ANNOUNCE, never);
    expect(answer).toMatchObject({ intervalSec: 900, seeders: 1, leechers: 2, peers: PEERS });
    expect(heard).toEqual([expect.objectContaining({ ...ANNOUNCE, peerId: expect.anything() })]);
  });

  test('scrapes', async () => {
    const counts = { seeders: 4, leechers: 5, completed: 6 };
    const url = await httpServer((request, response) => {
      const keys = parseHttpScrape(request.url?.split('?')[1] ?? '');
      response.end(encodeHttpScrape(new Map(keys.map((key) => [key, counts]))));
    });
    expect((await new HttpTracker(url, guardOf(), 'judged').scrape([KEY], never)).get(KEY)).toEqual(counts);
  });

  test('that refuses says why', async () => {
    const url = await httpServer((_request, response) => response.writeHead(400).end(encodeHttpFailure('not ours')));
    await expect(new HttpTracker(url, guardOf(), 'judged').announce(ANNOUNCE, never)).rejects.toThrow(/not ours/);
  });

  test.each<[string, http.RequestListener, string]>([
    ['redirects without end', (_request, response) => response.writeHead(302, { location: '/x' }).end(), 'unavailable'],
    ['sends a web page', (_request, response) => response.end('<html>'), 'invalid_input'],
    ['sends without end', (_request, response) => response.end(new Uint8Array(2 << 20)), 'unavailable'],
    ['hangs up', (request) => request.socket.destroy(), 'unavailable'],
    ['fails without a word', (_request, response) => response.writeHead(500).end(), 'unavailable'],
  ])('that %s is a typed error', async (_what, handler, code) => {
    const url = await httpServer(handler);
    await expect(new HttpTracker(url, guardOf(), 'judged').announce(ANNOUNCE, never)).rejects.toMatchObject({ code });
  });

  test('that is silent is given up in time, or when the caller gives up', async () => {
    const asked = Promise.withResolvers<void>();
    const url = await httpServer(() => asked.resolve());
    const clock = new FakeClock();
    const announcing = new HttpTracker(url, guardOf(clock), 'judged').announce(ANNOUNCE, never);
    await asked.promise;
    clock.advance(15_000);
    await expect(announcing).rejects.toMatchObject({ code: 'unavailable', facts: { reason: 'slow' } });
    const controller = new AbortController();
    const second = new HttpTracker(url, guardOf(clock), 'judged').announce(ANNOUNCE, controller.signal);
    controller.abort();
    await expect(second).rejects.toBeInstanceOf(Cancelled);
  });
});

describe('a UDP tracker', () => {
  interface FakeTracker {
    readonly url: string;
    readonly requests: string[];
    silentFor: number;
  }

  async function udpServer(): Promise<FakeTracker> {
    const socket = dgram.createSocket('udp4');
    const fake: FakeTracker = { url: '', requests: [], silentFor: 0 };
    socket.on('message', (bytes, from) => {
      const request = decodeUdpRequest(bytes);
      fake.requests.push(request.type);
      if (fake.silentFor-- > 0) return;
      const { transactionId } = request;
      const counts = { seeders: 1, leechers: 2, completed: 3 };
      if (request.type === 'connect')
        socket.send(
          encodeUdpAnswer({ type: 'connect', transactionId, connectionId: new Uint8Array(8).fill(9) }),
          from.port,
        );
      else if (request.type === 'announce')
        socket.send(
          encodeUdpAnswer({
            type: 'announce',
            transactionId,
            intervalSec: 600,
            ...counts,
            peers: encodeCompactPeers(PEERS).v4,
          }),
          from.port,
        );
      else
        socket.send(
          encodeUdpAnswer({ type: 'scrape', transactionId, counts: request.swarmKeys.map(() => counts) }),
          from.port,
        );
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    cleanups.push(() => new Promise((resolve) => socket.close(() => resolve(undefined))));
    return Object.assign(fake, { url: `udp://127.0.0.1:${socket.address().port}/announce` });
  }

  function clientOf(url: string, clock = new FakeClock()): TrackerClient {
    const trackers = new UdpTrackers(guardOf(clock));
    cleanups.push(() => Promise.resolve(trackers.close()));
    return trackers.client(url, 'judged');
  }

  test('is connected once, then announced to and scraped over one socket', async () => {
    const fake = await udpServer();
    const client = clientOf(fake.url);
    expect(await client.announce(ANNOUNCE, never)).toMatchObject({ intervalSec: 600, peers: PEERS });
    expect((await client.scrape([KEY], never)).get(KEY)).toEqual({ seeders: 1, leechers: 2, completed: 3 });
    expect(fake.requests).toEqual(['connect', 'announce', 'scrape']);
  });

  test('that loses a packet is asked again', async () => {
    const fake = await udpServer();
    fake.silentFor = 1;
    const clock = new FakeClock();
    const announcing = clientOf(fake.url, clock).announce(ANNOUNCE, never);
    await eventually('the first packet', () => fake.requests.length === 1);
    clock.advance(3_000);
    expect(await announcing).toMatchObject({ peers: PEERS });
    expect(fake.requests).toEqual(['connect', 'connect', 'announce']);
  });

  test('that stays silent is given up', async () => {
    const fake = await udpServer();
    fake.silentFor = 99;
    const clock = new FakeClock();
    const announcing = clientOf(fake.url, clock).announce(ANNOUNCE, never);
    const failure = announcing.catch((error: unknown) => error);
    for (const [at, waitMs] of [3_000, 6_000, 12_000].entries()) {
      await eventually(`packet ${at + 1}`, () => fake.requests.length === at + 1);
      await clock.advanceAsync(waitMs);
    }
    expect(await failure).toBeInstanceOf(TimedOut);
    expect(clock.pending).toBe(0);
  });
});

describe('the announcer', () => {
  interface Scripted extends TrackerClient {
    readonly events: string[];
    fails: boolean;
  }

  function scripted(url: string): Scripted {
    const answer: AnnounceAnswer = { kind: 'answer', intervalSec: 600, peers: PEERS };
    return {
      url,
      events: [],
      fails: false,
      announce(announce) {
        this.events.push(announce.event);
        return this.fails ? Promise.reject(new Unavailable('down')) : Promise.resolve(answer);
      },
      scrape: () => Promise.reject(new Unavailable('no')),
    };
  }

  function announcerOf(tiers: readonly (readonly TrackerClient[])[]): {
    announcer: Announcer;
    clock: FakeClock;
    found: unknown[];
  } {
    const clock = new FakeClock();
    const found: unknown[] = [];
    const announcer = new Announcer({
      tiers,
      describe: () => ANNOUNCE,
      found: (peers) => found.push(...peers),
      clock,
      log: silentLog,
      random: () => 0,
    });
    return { announcer, clock, found };
  }

  test('says started, updates at the interval, completed at once and once, stopped at the end', async () => {
    const tracker = scripted('http://a');
    const { announcer, clock, found } = announcerOf([[tracker]]);
    await clock.advanceAsync(0);
    expect(found).toEqual(PEERS);
    await clock.advanceAsync(600_000);
    announcer.completed();
    announcer.completed();
    await clock.advanceAsync(0);
    await announcer.stop();
    expect(tracker.events).toEqual(['started', 'update', 'completed', 'stopped']);
    expect(clock.pending).toBe(0);
  });

  test('uses the second of a tier when the first is down, keeps it, and asks every tier', async () => {
    const [down, up, other] = [scripted('http://down'), scripted('http://up'), scripted('http://other')];
    down.fails = true;
    const { announcer, clock } = announcerOf([[down, up], [other]]);
    await clock.advanceAsync(600_000);
    await announcer.stop();
    expect(down.events).toEqual(['started']);
    expect(up.events).toEqual(['started', 'update', 'stopped']);
    expect(other.events).toEqual(['started', 'update', 'stopped']);
  });

  test('waits longer after each failure and starts anew after a success', async () => {
    const tracker = scripted('http://a');
    tracker.fails = true;
    const { announcer, clock } = announcerOf([[tracker]]);
    await clock.advanceAsync(14_999);
    expect(tracker.events).toHaveLength(1);
    await clock.advanceAsync(1);
    expect(tracker.events).toHaveLength(2);
    await clock.advanceAsync(30_000);
    expect(tracker.events).toHaveLength(3);
    await announcer.stop();
    expect(tracker.events).toHaveLength(3); // no goodbye to one that never knew us
  });

  test.each([
    [1, 0, 15_000],
    [2, 0, 30_000],
    [2, 0.5, 33_000],
    [30, 0, 3_600_000],
    [30, 1, 3_660_000],
  ])('after %i failures and a draw of %f it waits %i ms', (failures, random, delayMs) => {
    expect(retryDelayMs(failures, random)).toBe(delayMs);
  });
});
