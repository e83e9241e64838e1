import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { eventually } from '../../../test/support/eventually.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import type { PeerAddress } from '../../base/address.ts';
import { AddressPolicy, type AddressSource } from '../../base/address-policy.ts';
import { utf8 } from '../../base/bytes.ts';
import { systemClock } from '../../base/clock.ts';
import { parseSwarmKey } from '../../base/ids.ts';
import { Unavailable } from '../../base/errors.ts';
import { type Log, silentLog } from '../../base/log.ts';
import {
  decodeWsClientMessage,
  encodeWsServerMessage,
  MAX_WS_FRAME_LENGTH,
  type WsClientMessage,
} from '../../codec/tracker-ws.ts';
import type { PeerSocket } from '../../torrent/ports.ts';
import { Guard } from '../guard/guard.ts';
import { WebTracker, type WebTrackerOptions } from './web-tracker.ts';

const KEY = parseSwarmKey('0123456789abcdef0123456789abcdef01234567');
const PEER_ID = utf8('-SB0100-abcdefghijkl');

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

describe('a WebSocket tracker', () => {
  interface FakeHub {
    readonly url: string;
    readonly heard: WsClientMessage[];
    send(message: Parameters<typeof encodeWsServerMessage>[0]): void;
    raw(text: string): void;
    hangUp(): void;
    connections(): number;
  }

  async function hub(host = '127.0.0.1', port = 0): Promise<FakeHub> {
    const server = new WebSocketServer({ host, port });
    await once(server, 'listening');
    const heard: WsClientMessage[] = [];
    server.on('connection', (socket) =>
      socket.on('message', (text: Buffer) => heard.push(decodeWsClientMessage(text.toString()))),
    );
    cleanups.push(() => {
      for (const socket of server.clients) socket.terminate();
      return new Promise((resolve) => server.close(resolve));
    });
    return {
      url: `ws://${host}:${(server.address() as AddressInfo).port}`,
      heard,
      send: (message) => server.clients.forEach((socket) => socket.send(encodeWsServerMessage(message))),
      raw: (text) => server.clients.forEach((socket) => socket.send(text)),
      connections: () => server.clients.size,
      hangUp: () => server.clients.forEach((socket) => socket.terminate()),
    };
  }

  interface Meeting {
    readonly tracker: WebTracker;
    readonly log: string[];
    /** The stream of the offer with that number opens. */
    readonly open: ((socket: PeerSocket) => void)[];
    /** The offer with that number comes to nothing. */
    readonly fail: ((error: Error) => void)[];
    readonly connected: PeerSocket[];
    /** What each offer and each answer was told of the addresses that may be named. */
    readonly filters: ((address: PeerAddress) => boolean)[];
  }

  function join(
    url: string,
    wanted: 'none' | 'more' | 'first',
    clock: WebTrackerOptions['clock'] = systemClock,
  ): Meeting {
    const log: string[] = [];
    const open: ((socket: PeerSocket) => void)[] = [];
    const fail: ((error: Error) => void)[] = [];
    const connected: PeerSocket[] = [];
    const filters: Meeting['filters'] = [];
    const meeting = (name: string): { addCandidate: (candidate: { candidate: string }) => void } => ({
      addCandidate: ({ candidate }) => log.push(`${name} got candidate ${candidate}`),
    });
    const guard = new Guard({ policy: new AddressPolicy(), clock });
    const tracker = new WebTracker({
      url,
      source: 'judged',
      guard,
      peerId: PEER_ID,
      clock,
      log: silentLog,
      random: () => 0,
      rtc: {
        offer: (_signal, allows) => {
          filters.push(allows);
          const { promise, resolve, reject } = Promise.withResolvers<PeerSocket>();
          fail.push(reject);
          const name = `offer ${open.push(resolve)}`;
          return Promise.resolve({
            ...meeting(name),
            sdp: name,
            socket: promise,
            acceptAnswer: (sdp: string) => log.push(`${name} got answer ${sdp}`),
            close: () => log.push(`${name} withdrawn`),
          });
        },
        answer: (offer, sink) => {
          filters.push(offer.allows);
          sink.answer(`answer to ${offer.sdp}`);
          if (offer.trickle) sink.candidate({ candidate: 'ours', sdpMid: '0' });
          return meeting(`answer to ${offer.sdp}`);
        },
      },
    });
    tracker.join({
      key: KEY,
      describe: () => ({ uploadedBytes: 1, downloadedBytes: 2, leftBytes: wanted === 'none' ? 0 : 3 }),
      wantedPeers: () => wanted,
      connected: (socket) => connected.push(socket),
    });
    cleanups.push(() => tracker.stop());
    return { tracker, log, open, fail, connected, filters };
  }

  /** One that strangers have named, on a network that they may name, with names that all mean `address`. */
  function told(url: string, address = '127.0.0.1', source: AddressSource = 'told'): { readonly failures: unknown[] } {
    const failures: unknown[] = [];
    const log: Log = { ...silentLog, info: (event, fields) => failures.push([event, fields?.['error']]) };
    const policy = new AddressPolicy({ allowPrivate: true });
    const guard = new Guard({ policy, lookup: () => Promise.resolve([address]) });
    const rtc: WebTrackerOptions['rtc'] = {
      offer: () => Promise.reject(new Unavailable('no offers here')),
      answer: () => ({ addCandidate: () => undefined }),
    };
    const tracker = new WebTracker({
      url,
      source,
      guard,
      peerId: PEER_ID,
      clock: systemClock,
      log,
      random: () => 0,
      rtc,
    });
    tracker.join({
      key: KEY,
      describe: () => ({ uploadedBytes: 0, downloadedBytes: 0 }),
      wantedPeers: () => 'none',
      connected: () => undefined,
    });
    cleanups.push(async () => {
      await tracker.stop();
      guard.close();
    });
    return { failures };
  }

  test('is dialled at the address that was judged, whatever its name means a moment later', async () => {
    const server = await hub();
    told(server.url.replace('127.0.0.1', 'tracker.example'));
    await eventually('the announce', () => server.heard.length === 1);
  });

  test.each(['ws://127.0.0.9:6697/', 'ws://user@127.0.0.9:6697/'])(
    'that a stranger named as %s, where other services live, is not asked; where a person did, it is',
    async (url) => {
      const server = await hub('127.0.0.9', 6_697);
      const { failures } = told(url);
      await eventually('the refusal', () => failures.length > 0 || server.connections() > 0);
      expect(server.connections()).toBe(0);
      expect(failures).toMatchObject([['tracker.failed', { code: 'fetch_failed' }]]);
      told('ws://127.0.0.9:6697/', undefined, 'judged');
      await eventually('the announce', () => server.heard.length === 1);
    },
  );

  test('leads nowhere else by a redirect', async () => {
    const elsewhere = await hub('127.0.0.2');
    const server = http.createServer().on('upgrade', (_request, socket) => {
      socket.end(`HTTP/1.1 302 Found\r\nLocation: ${elsewhere.url}\r\nConnection: close\r\n\r\n`);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const { failures } = told(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await eventually('the end of it', () => failures.length > 0 || elsewhere.heard.length > 0);
    expect(elsewhere.heard).toEqual([]);
    expect(failures).toHaveLength(1);
  });

  test('that sends more than a message can have is parted from', async () => {
    const server = await hub();
    const { failures } = told(server.url);
    await eventually('the announce', () => server.heard.length === 1);
    server.raw('x'.repeat(4 * MAX_WS_FRAME_LENGTH + 1));
    server.send({ ...THEIRS, type: 'offer', sdp: 'theirs', trickle: false });
    await eventually('the end', () => failures.length > 0);
    await eventually('nobody is connected', () => server.connections() === 0);
  });

  async function firstAnnounce(server: FakeHub, clock: FakeClock): Promise<void> {
    await eventually('the announce', async () => {
      await clock.advanceAsync(0);
      return server.heard.length === 1;
    });
  }

  const THEIRS = { swarmKey: KEY, peerId: '-WW0001-theirpeerid0' as never, offerId: 'their offer' as never };

  test('offers again at once when an offer that was answered fails, thrice in a row and no more', async () => {
    const server = await hub();
    const { fail, log } = join(server.url, 'more');
    const announced = (times: number): Promise<unknown> =>
      eventually(`${times} announces`, () => server.heard.length === times);
    const answerAndFail = async (announce: WsClientMessage | undefined): Promise<void> => {
      const [offer] = announce?.type === 'announce' ? announce.offers : [];
      const offerId = offer?.offerId ?? ('' as never);
      server.send({ ...THEIRS, offerId, type: 'answer', sdp: 'hello', trickle: false });
      await eventually('the answer', () => log.includes(`${offer?.sdp} got answer hello`));
      fail[Number(offer?.sdp.slice('offer '.length)) - 1]?.(new Unavailable('failed'));
    };
    await announced(1);
    fail[4]?.(new Unavailable('nobody took it'));
    for (const times of [1, 2, 3]) {
      await answerAndFail(server.heard[times - 1]);
      await announced(times + 1);
    }
    await answerAndFail(server.heard[3]);
    // What is said after it would come after a further announce.
    server.send({ ...THEIRS, type: 'offer', sdp: 'theirs', trickle: false });
    await eventually('our answer', () => server.heard.some(({ type }) => type === 'answer'));
    expect(server.heard.filter(({ type }) => type === 'announce')).toHaveLength(4);
  });

  test('gets offers while peers are wanted, and the answer opens the stream', async () => {
    const server = await hub();
    const { log, open, connected } = join(server.url, 'more');
    await eventually('the announce', () => server.heard.length > 0);
    const [announce] = server.heard;
    expect(announce).toMatchObject({ type: 'announce', event: 'started', leftBytes: 3, trickle: true });
    const offers = announce?.type === 'announce' ? announce.offers : [];
    expect(offers.map(({ sdp }) => sdp)).toEqual(['offer 1', 'offer 2', 'offer 3', 'offer 4', 'offer 5']);
    const offerId = offers[1]?.offerId ?? ('' as never);
    server.send({ ...THEIRS, offerId, type: 'answer', sdp: 'hello', trickle: true });
    server.send({ ...THEIRS, offerId, type: 'candidate', candidate: { candidate: 'late', sdpMid: '0' } });
    await eventually('the answer', () => log.length === 2);
    expect(log).toEqual(['offer 2 got answer hello', 'offer 2 got candidate late']);
    const socket = {} as PeerSocket;
    open[1]?.(socket);
    await eventually('the stream', () => connected.length > 0);
    expect(connected).toEqual([socket]);
  });

  test('gets answers from a seed that makes no offers, and candidates only where they are taken', async () => {
    const server = await hub();
    const { log } = join(server.url, 'none');
    await eventually('the announce', () => server.heard.length > 0);
    expect(server.heard[0]).toMatchObject({ leftBytes: 0, offers: [] });
    server.send({ ...THEIRS, type: 'offer', sdp: 'stock', trickle: false });
    await eventually('the answer', () => server.heard.length === 2);
    expect(server.heard[1]).toMatchObject({ type: 'answer', sdp: 'answer to stock', toPeerId: THEIRS.peerId });
    server.send({ ...THEIRS, type: 'offer', sdp: 'ours', trickle: true });
    server.send({ ...THEIRS, type: 'candidate', candidate: { candidate: 'late', sdpMid: '0' } });
    await eventually('a candidate', () => server.heard.length === 4 && log.length > 0);
    expect(server.heard[3]).toMatchObject({ type: 'candidate', candidate: { candidate: 'ours' } });
    expect(log).toEqual(['answer to ours got candidate late']);
  });

  test('lets its peers name what it may name itself: its neighbours, and after it is gone nobody inside', async () => {
    const server = await hub();
    const { tracker, filters } = join(server.url, 'more');
    await eventually('the announce', () => server.heard.length > 0);
    server.send({ ...THEIRS, type: 'offer', sdp: 'theirs', trickle: false });
    await eventually('the answer', () => filters.length === 6);
    const named = [
      { host: '127.0.0.1', port: 6881 },
      { host: '127.0.0.1', port: 53 },
      { host: '169.254.169.254', port: 8_080 },
      { host: '93.184.215.14', port: 80 },
    ];
    for (const allows of filters) expect(named.filter((address) => allows(address))).toEqual([named[0], named[3]]);
    await tracker.stop();
    for (const allows of filters) expect(named.filter((address) => allows(address))).toEqual([named[3]]);
  });

  test('that hangs up is joined again, with fresh offers in place of the old', async () => {
    const server = await hub();
    const clock = new FakeClock();
    const { log } = join(server.url, 'more', clock);
    await firstAnnounce(server, clock);
    server.hangUp();
    await eventually('joined again', async () => {
      await clock.advanceAsync(15_000);
      return server.heard.length >= 2;
    });
    expect(server.heard[1]).toMatchObject({ event: 'started' });
    expect(log.filter((line) => line.endsWith('withdrawn'))).toHaveLength(5);
  });

  test('is asked again soon, then less and less, by one that is still alone', async () => {
    const server = await hub();
    const clock = new FakeClock();
    join(server.url, 'first', clock);
    await firstAnnounce(server, clock);
    for (const [at, waitMs] of [5_000, 10_000, 20_000].entries()) {
      await clock.advanceAsync(waitMs - 1);
      expect(server.heard).toHaveLength(at + 1);
      await clock.advanceAsync(1);
      await eventually('the next announce', () => server.heard.length === at + 2);
    }
  });

  test('hears completed once and stopped at the end, and nonsense is ignored', async () => {
    const server = await hub();
    const { tracker } = join(server.url, 'more');
    await eventually('the announce', () => server.heard.length === 1);
    server.send({ type: 'failed', reason: 'go away' });
    server.send({ ...THEIRS, type: 'answer', sdp: 'to nothing of ours', trickle: false });
    tracker.completed(KEY);
    tracker.completed(KEY);
    await eventually('completed', () => server.heard.length === 2);
    await tracker.stop();
    await eventually('stopped', () => server.heard.length === 3);
    expect(server.heard.map((message) => message.type === 'announce' && message.event)).toEqual([
      'started',
      'completed',
      'stopped',
    ]);
  });

  test('carries all torrents over one connection, each gone when it leaves', async () => {
    const server = await hub();
    const { tracker } = join(server.url, 'none');
    const other = parseSwarmKey('f'.repeat(40));
    tracker.join({
      key: other,
      describe: () => ({ uploadedBytes: 0, downloadedBytes: 0 }),
      wantedPeers: () => 'none',
      connected: () => undefined,
    });
    const heard = (): unknown[] =>
      server.heard.map((message) => message.type === 'announce' && `${message.swarmKey.slice(0, 2)} ${message.event}`);
    await eventually('both announces', () => server.heard.length === 2);
    expect(server.connections()).toBe(1);
    tracker.leave(other);
    await eventually('the goodbye', () => server.heard.length === 3);
    expect(heard()).toEqual(['01 started', 'ff started', 'ff stopped']);
  });
});
