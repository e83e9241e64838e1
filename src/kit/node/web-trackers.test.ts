import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { eventually } from '../../../test/support/eventually.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { Guard } from '../../adapters/guard/guard.ts';
import type { WebSwarm } from '../../adapters/tracker-client/web-tracker.ts';
import { AddressPolicy } from '../../base/address-policy.ts';
import { utf8 } from '../../base/bytes.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { Unavailable } from '../../base/errors.ts';
import { parseSwarmKey } from '../../base/ids.ts';
import { silentLog } from '../../base/log.ts';
import { decodeWsClientMessage } from '../../codec/tracker-ws.ts';
import { WebTrackers, webUrlsOf } from './web-trackers.ts';

function swarm(digit: string): WebSwarm {
  return {
    key: parseSwarmKey(digit.repeat(40)),
    describe: () => ({ uploadedBytes: 0, downloadedBytes: 0 }),
    wantedPeers: () => 'none',
    connected: () => undefined,
  };
}

function trackersOver(clock: Clock = systemClock): WebTrackers {
  const trackers = new WebTrackers({
    guard: new Guard({ policy: new AddressPolicy(), clock }),
    peerId: utf8('-SB0100-abcdefghijkl'),
    clock,
    log: silentLog,
    random: () => 0,
    rtc: {
      offer: () => Promise.reject(new Unavailable('no offers here')),
      answer: () => ({ addCandidate: () => undefined }),
    },
  });
  onTestFinished(() => trackers.stop());
  return trackers;
}

/** A tracker that writes down who comes, says and goes. */
async function openHub(): Promise<{ readonly url: string; readonly seen: string[]; close(): Promise<void> }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const seen: string[] = [];
  server.on('connection', (socket) => {
    seen.push('open');
    socket.on('message', (text: Buffer) => {
      const message = decodeWsClientMessage(text.toString());
      if (message.type === 'announce') seen.push(`${message.swarmKey.slice(0, 1)} ${message.event}`);
    });
    socket.on('close', () => seen.push('closed'));
  });
  const close = async (): Promise<void> => {
    for (const socket of server.clients) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(close);
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/announce`, seen, close };
}

test('a tracker is parted from with the last torrent, which says goodbye, and joined anew with the next', async () => {
  const hub = await openHub();
  const trackers = trackersOver();
  const [one, two] = ['a', 'b'].map((digit) => trackers.join(hub.url, 'judged', swarm(digit)));
  await eventually('both announces', () => hub.seen.length === 3);
  await one?.leave();
  await eventually('the first goodbye', () => hub.seen.length === 4);
  expect(trackers.size).toBe(1);
  await two?.leave();
  await eventually('the end', () => hub.seen.includes('closed'));
  expect(hub.seen).toEqual(['open', 'a started', 'b started', 'a stopped', 'b stopped', 'closed']);
  expect(trackers.size).toBe(0);
  trackers.join(hub.url, 'judged', swarm('c'));
  await eventually('the new announce', () => hub.seen.at(-1) === 'c started');
  expect(hub.seen.slice(6)).toEqual(['open', 'c started']);
});

test('leaving twice takes the connection from nobody else', async () => {
  const hub = await openHub();
  const trackers = trackersOver();
  const [one] = ['a', 'b'].map((digit) => trackers.join(hub.url, 'judged', swarm(digit)));
  await one?.leave();
  await one?.leave();
  await eventually('the announce of the other', () => hub.seen.includes('b started'));
  expect([trackers.size, hub.seen.includes('closed')]).toEqual([1, false]);
});

test('a dead tracker that everybody left has no timer left to dial it again', async () => {
  const clock = new FakeClock();
  const hub = await openHub();
  await hub.close();
  const trackers = trackersOver(clock);
  const membership = trackers.join(hub.url, 'judged', swarm('a'));
  await eventually('the wait for another try', () => clock.pending > 0);
  await membership?.leave();
  expect([trackers.size, clock.pending]).toEqual([0, 0]);
});

test('a stranger names no more than 20 to a torrent, each once; a person as many as wanted', () => {
  const urls = Array.from({ length: 30 }, (_, at) => `wss://tracker.example/${at}`);
  const tiers = [['http://tracker.example/a', 'wss://'], urls, urls];
  expect(webUrlsOf(tiers, 'told')).toEqual(urls.slice(0, 20));
  expect(webUrlsOf(tiers, 'judged')).toEqual(urls);
});

test('strangers hold 200 of a node at most: one more is refused until one is left, one that is known never', async () => {
  const trackers = trackersOver(new FakeClock());
  const join = (at: number, source: 'told' | 'judged' = 'told', digit = 'a'): ReturnType<WebTrackers['join']> =>
    trackers.join(`ws://127.0.0.1:9/${at}`, source, swarm(digit));
  const [first] = Array.from({ length: 200 }, (_, at) => join(at));
  expect(join(200)).toBeUndefined();
  expect(join(7, 'told', 'b')).toBeDefined();
  expect(join(200, 'judged')).toBeDefined();
  await first?.leave();
  expect(join(200)).toBeDefined();
  expect([join(201), trackers.size]).toEqual([undefined, 201]);
});
