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
import { Cancelled, TimedOut } from '../../base/errors.ts';
import { parseSwarmKey } from '../../base/ids.ts';
import type { Announce } from '../../codec/announce.ts';
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

/** `addresses` are those of every name. */
function guardOf(clock: Clock = systemClock, addresses: readonly string[] = []): Guard {
  const guard = new Guard({ policy: new AddressPolicy(), clock, lookup: () => Promise.resolve(addresses) });
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

  test('at a private address names its neighbours, and nobody that answers for more', async () => {
    const named = [
      { host: '127.0.0.1', port: 6881 },
      { host: '192.168.1.7', port: 6881 },
      { host: '192.168.1.7', port: 22 },
      { host: '169.254.169.254', port: 8_080 },
      { host: '93.184.215.14', port: 80 },
    ];
    const url = await httpServer((_request, response) => {
      const { v4, v6 } = encodeCompactPeers(named);
      response.end(encodeCompactAnswer({ intervalSec: 900, seeders: 1, leechers: 2 }, v4, v6));
    });
    const { peers } = await new HttpTracker(url, guardOf(), 'judged').announce(ANNOUNCE, never);
    expect(peers).toEqual([named[0], named[1], named[4]]);
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

  async function udpServer(host = '127.0.0.1', port = 0, peers = PEERS): Promise<FakeTracker> {
    const isV6 = host.includes(':');
    const socket = dgram.createSocket(isV6 ? 'udp6' : 'udp4');
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
          from.address,
        );
      else if (request.type === 'announce')
        socket.send(
          encodeUdpAnswer({
            type: 'announce',
            transactionId,
            intervalSec: 600,
            ...counts,
            peers: encodeCompactPeers(peers)[isV6 ? 'v6' : 'v4'],
          }),
          from.port,
          from.address,
        );
      else
        socket.send(
          encodeUdpAnswer({ type: 'scrape', transactionId, counts: request.swarmKeys.map(() => counts) }),
          from.port,
          from.address,
        );
    });
    socket.bind(port, host);
    await once(socket, 'listening');
    cleanups.push(() => new Promise((resolve) => socket.close(() => resolve(undefined))));
    return Object.assign(fake, { url: `udp://tracker.example:${socket.address().port}/announce` });
  }

  function clientOf(url: string, clock = new FakeClock(), addresses = ['127.0.0.1']): TrackerClient {
    const trackers = new UdpTrackers(guardOf(clock, addresses));
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

  test('at an inner address names its neighbours, and nobody that answers for more', async () => {
    const named = [
      { host: '127.0.0.1', port: 6881 },
      { host: '127.0.0.1', port: 22 },
      { host: '192.168.1.7', port: 6881 },
      { host: '169.254.169.254', port: 8_080 },
      { host: '93.184.215.14', port: 80 },
    ];
    const fake = await udpServer('127.0.0.1', 0, named);
    const { peers } = await clientOf(fake.url).announce(ANNOUNCE, never);
    expect(peers).toEqual([named[0], named[2], named[4]]);
  });

  test.each([
    ['port', 'udp://127.0.0.9:6697/announce'],
    ['url', 'udp://user@127.0.0.9:6697/announce'],
  ])('that a stranger named with a %s that is none of his is not asked: %s', async (reason, url) => {
    const fake = await udpServer('127.0.0.9', 6_697);
    const home = new Guard({ policy: new AddressPolicy({ allowPrivate: true }), clock: new FakeClock() });
    const trackers = new UdpTrackers(home);
    cleanups.push(() => Promise.resolve([trackers.close(), home.close()]));
    await expect(trackers.client(url, 'told').announce(ANNOUNCE, never)).rejects.toMatchObject({ reason });
    expect(fake.requests).toEqual([]);
    await trackers.client('udp://127.0.0.9:6697/announce', 'judged').announce(ANNOUNCE, never);
    expect(fake.requests).toEqual(['connect', 'announce']);
  });

  test('is forgotten when a thousand others were asked since, and connected to again', async () => {
    const trackers = new UdpTrackers(guardOf(new FakeClock()));
    cleanups.push(() => Promise.resolve(trackers.close()));
    const announce = async ({ url }: FakeTracker): Promise<void> => {
      const { port } = new URL(url);
      await trackers.client(`udp://127.0.0.1:${port}/`, 'judged').announce(ANNOUNCE, never);
    };
    const first = await udpServer();
    await announce(first);
    await announce(first);
    for (let at = 0; at < 1_000; at++) await announce(await udpServer());
    await announce(first);
    expect(first.requests).toEqual(['connect', 'announce', 'announce', 'connect', 'announce']);
  });

  test('that loses a packet is asked again', async () => {
    const fake = await udpServer();
    fake.silentFor = 1;
    const clock = new FakeClock();
    const announcing = clientOf(fake.url, clock).announce(ANNOUNCE, never);
    await eventually('the first packet', () => fake.requests.length === 1);
    clock.advance(15_000);
    expect(await announcing).toMatchObject({ peers: PEERS });
    expect(fake.requests).toEqual(['connect', 'connect', 'announce']);
  });

  const V6_PEERS = [{ host: '2606:4700::1', port: 6881 }];
  const BOTH = ['127.0.0.1', '::1'];

  test('with addresses of both families is announced to at both (BEP 7)', async () => {
    const fake = await udpServer();
    const sixth = await udpServer('::1', Number(new URL(fake.url).port), V6_PEERS);
    const { peers } = await clientOf(fake.url, new FakeClock(), BOTH).announce(ANNOUNCE, never);
    expect(peers).toEqual([...PEERS, ...V6_PEERS]);
    expect(sixth.requests).toEqual(['connect', 'announce']);
  });

  test('of which one family is silent is not waited for long', async () => {
    const fake = await udpServer();
    const sixth = await udpServer('::1', Number(new URL(fake.url).port), V6_PEERS);
    sixth.silentFor = 99;
    const clock = new FakeClock();
    let hasAnswered = false;
    const announcing = clientOf(fake.url, clock, BOTH)
      .announce(ANNOUNCE, never)
      .finally(() => (hasAnswered = true));
    await eventually('the first family has answered', async () => {
      await clock.advanceAsync(0);
      return fake.requests.length === 2 && sixth.requests.length === 1;
    });
    await eventually('the answer', async () => {
      await clock.advanceAsync(2_000);
      return hasAnswered;
    });
    expect(await announcing).toMatchObject({ peers: PEERS });
    expect(clock.monotonicMs()).toBeLessThan(15_000);
  });

  test('is connected once, however many torrents ask at the same time', async () => {
    const fake = await udpServer();
    const client = clientOf(fake.url);
    await Promise.all([1, 2, 3].map(() => client.announce(ANNOUNCE, never)));
    expect(fake.requests.filter((type) => type === 'connect')).toHaveLength(1);
  });

  test('that stays silent is given up', async () => {
    const fake = await udpServer();
    fake.silentFor = 99;
    const clock = new FakeClock();
    const announcing = clientOf(fake.url, clock).announce(ANNOUNCE, never);
    const failure = announcing.catch((error: unknown) => error);
    for (const [at, waitMs] of [15_000, 30_000].entries()) {
      await eventually(`packet ${at + 1}`, () => fake.requests.length === at + 1);
      await clock.advanceAsync(waitMs);
    }
    expect(await failure).toBeInstanceOf(TimedOut);
    expect(clock.pending).toBe(0);
  });
});
