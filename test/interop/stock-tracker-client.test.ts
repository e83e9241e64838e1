/** The stock client of WebTorrent's world against our tracker, over each of its three protocols, on loopback. */
import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from 'bittorrent-tracker';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { KeyedConnectionIds } from '../../src/adapters/udp-tracker/connection-ids.ts';
import { UdpServer } from '../../src/adapters/udp-tracker/udp-server.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { systemClock } from '../../src/base/clock.ts';
import { parseSwarmKey } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { createPeerId } from '../../src/codec/peer-id.ts';
import { latinIdOf } from '../../src/codec/tracker-ws.ts';
import { HttpTracker } from '../../src/tracker/http.ts';
import { SwarmRegistry } from '../../src/tracker/registry.ts';
import { SignalHub } from '../../src/tracker/signal-hub.ts';
import { UdpTracker } from '../../src/tracker/udp.ts';

const KEY = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
const FOREIGN = '0'.repeat(40);

let registry: SwarmRegistry;
let http: HttpServer;
let udp: UdpServer;
let sockets: WebSocketServer;
let clients: Client[];
let hub: SignalHub;

beforeEach(async () => {
  clients = [];
  registry = new SwarmRegistry({
    clock: systemClock,
    admission: { admits: (key) => key === KEY },
    ownSeed: { addressFor: () => undefined },
  });
  hub = new SignalHub({ registry, clock: systemClock, ownPeerId: latinIdOf(createPeerId()) });
  const tracker = new HttpTracker(registry);
  http = createServer((request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const answer = path === '/scrape' ? tracker.scrape(query, '127.0.0.1') : tracker.announce(query, '127.0.0.1');
    response.end(answer);
  });
  sockets = new WebSocketServer({ server: http });
  sockets.on('connection', serve);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const udpTracker = new UdpTracker(registry, new KeyedConnectionIds(systemClock));
  udp = await UdpServer.start({ tracker: udpTracker, log: silentLog, host: '127.0.0.1', port: 0 });
});

function serve(socket: WebSocket): void {
  const session = hub.connect({
    remoteHost: '127.0.0.1',
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    send: (text) => socket.send(text),
    close: (code, reason) => socket.close(code, reason),
  });
  socket.on('message', (data: Buffer) => session.receive(data.toString('utf8')));
  socket.on('close', () => session.closed());
}

afterEach(async () => {
  for (const client of clients) client.destroy();
  for (const socket of sockets.clients) socket.terminate();
  http.closeAllConnections();
  await Promise.all([udp.stop(), new Promise((resolve) => http.close(resolve))]);
  registry.stop();
});

/** `name` distinguishes peers of one process: the stock client shares sockets by URL. */
function urlOf(protocol: 'http' | 'udp' | 'ws', name: string): string {
  const port = protocol === 'udp' ? udp.port : (http.address() as AddressInfo).port;
  return `${protocol}://127.0.0.1:${port}/announce?${name}`;
}

function stock(protocol: 'http' | 'udp' | 'ws', name: string, port: number, infoHash: string = KEY): Client {
  const client = new Client({
    infoHash,
    peerId: utf8(`-WW0100-${name}`.padEnd(20, '.')),
    announce: [urlOf(protocol, name)],
    port,
    ...(protocol !== 'ws' && { wrtc: false }),
  });
  clients.push(client);
  return client;
}

function next<Value>(client: Client, event: string): Promise<Value> {
  return new Promise((resolve, reject) => {
    client.on(event, (value) => resolve(value));
    if (event !== 'warning') client.on('warning', (warning: Error) => reject(warning));
    client.on('error', (error: Error) => reject(error));
  });
}

describe.each(['http', 'udp'] as const)('over %s', (protocol) => {
  test('stock peers announce, find each other, complete, scrape and stop', async () => {
    const seeder = stock(protocol, 'seeder', 6881);
    const seeded = next<{ complete: number }>(seeder, 'update');
    seeder.start({ left: 0 });
    expect(await seeded).toMatchObject({ complete: 1, incomplete: 0 });

    const leecher = stock(protocol, 'leecher', 6882);
    const [updated, found] = [next(leecher, 'update'), next(leecher, 'peer')];
    leecher.start({ left: 5 });
    expect(await updated).toMatchObject({ complete: 1, incomplete: 1 });
    expect(await found).toBe('127.0.0.1:6881');

    const completed = next(leecher, 'update');
    leecher.complete({ left: 0 });
    await completed;
    const scraped = next<Record<string, unknown>>(leecher, 'scrape');
    leecher.scrape();
    expect(await scraped).toMatchObject({ complete: 2, incomplete: 0, downloaded: 1 });

    const stopped = next(seeder, 'update');
    seeder.stop();
    await stopped;
    expect(registry.counts(KEY)).toEqual({ seeders: 1, leechers: 0, completed: 1 });
  });

  test('a foreign torrent is refused with a reason the stock client shows', async () => {
    const client = stock(protocol, 'stray', 6883, FOREIGN);
    const warned = next<Error>(client, 'warning');
    client.start();
    expect((await warned).message).toContain('not tracked here');
  });
});

interface StockPeer {
  on(event: 'connect' | 'error', listener: (value: unknown) => void): void;
  destroy(): void;
}

describe('over WebSocket', () => {
  test('two stock peers are introduced and open a data channel', { timeout: 90_000 }, async () => {
    const seeder = stock('ws', 'seeder', 6884);
    const offered = next<StockPeer>(seeder, 'peer');
    const seeded = next(seeder, 'update');
    seeder.start({ numwant: 1, left: 0 });
    expect(await seeded).toMatchObject({ complete: 1, incomplete: 0 });

    const leecher = stock('ws', 'leecher', 6885);
    const answered = next<StockPeer>(leecher, 'peer');
    leecher.start({ numwant: 1, left: 5 });
    const peers = await Promise.all([offered, answered]);
    const connected = peers.map(
      (peer) =>
        new Promise((resolve, reject) => {
          peer.on('connect', resolve);
          peer.on('error', reject);
        }),
    );
    await Promise.all(connected);
    for (const peer of peers) peer.destroy();
    expect(registry.counts(KEY)).toEqual({ seeders: 1, leechers: 1, completed: 0 });
  });

  test(
    'a stock client scrapes, and is refused without being thrown into its reconnect loop',
    { timeout: 60_000 },
    async () => {
      const client = stock('ws', 'scraper', 6886);
      const scraped = next<Record<string, unknown>>(client, 'scrape');
      client.scrape();
      expect(await scraped).toMatchObject({ complete: 0, incomplete: 0, infoHash: KEY });
      const stray = stock('ws', 'stray', 6887, FOREIGN);
      const warned = next<Error>(stray, 'warning');
      stray.start({ numwant: 0 });
      expect((await warned).message).toContain('not tracked here');
      expect(hub.sockets).toBe(2);
    },
  );
});
