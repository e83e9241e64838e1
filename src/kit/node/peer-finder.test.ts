import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { seededBytes } from '../../../test/support/random-bytes.ts';
import { testFolder } from '../../../test/support/temp-dir.ts';
import type { PeerAddress } from '../../base/address.ts';
import { concatBytes } from '../../base/bytes.ts';
import { parseInfoHashV1, type SwarmKey, swarmKeyOf } from '../../base/ids.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { encodeCompactPeer } from '../../codec/compact-peers.ts';
import { formatMagnet } from '../../codec/magnet.ts';
import type { TorrentFormat } from '../../codec/make-info.ts';
import {
  encodeCompactAnswer,
  encodeHttpFailure,
  type HttpAnnounce,
  parseHttpAnnounce,
} from '../../codec/tracker-http.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { addTorrent, hashFile, hashPath, seedFile, type SeededFile, SwarmNode } from './index.ts';

/** An HTTP tracker. */
interface Tracker {
  readonly url: string;
  /** Resolves with the first announce so far, or from now on, that fits. */
  heard(fits: (announce: HttpAnnounce) => boolean): Promise<HttpAnnounce>;
  /** What was told of a swarm so far, in order. */
  eventsOf(key: SwarmKey | undefined): readonly HttpAnnounce['event'][];
}

/** It names the same peers to everybody. */
async function openTracker(peers: readonly PeerAddress[] = []): Promise<Tracker> {
  const announces: HttpAnnounce[] = [];
  const watchers = new Set<() => void>();
  const server = createServer(({ url = '' }, response) => {
    announces.push(parseHttpAnnounce(url.slice(url.indexOf('?') + 1)));
    const head = { intervalSec: 1_800, minIntervalSec: 900, seeders: 0, leechers: 0 };
    response.end(encodeCompactAnswer(head, concatBytes(peers.map(encodeCompactPeer)), new Uint8Array(0)));
    for (const look of watchers) look();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // of a TCP server
  return {
    url: `http://127.0.0.1:${port}/announce`,
    eventsOf: (key) => announces.flatMap(({ swarmKey, event }) => (swarmKey === key ? event : [])),
    heard: (fits) =>
      new Promise((resolve) => {
        const look = (): void => {
          const announce = announces.find(fits);
          if (announce === undefined) return;
          watchers.delete(look);
          resolve(announce);
        };
        watchers.add(look);
        look();
      }),
  };
}

async function openNode(log: Log = silentLog): Promise<SwarmNode> {
  const node = await SwarmNode.open({ host: '127.0.0.1', utp: false, allowPrivate: true, log });
  onTestFinished(() => node.stop());
  return node;
}

async function seed(format: TorrentFormat, trackers: readonly string[]): Promise<SeededFile & { node: SwarmNode }> {
  const file = path.join(await testFolder('peer-finder'), 'film.bin');
  await writeFile(file, seededBytes('peer-finder', 100_000));
  const node = await openNode();
  return { ...(await seedFile(node, await hashPath(file, { format }), trackers)), node };
}

test('a hybrid that is known by its v2 hash is announced under its v1 hash, too, as soon as peers told it', async () => {
  const tracker = await openTracker();
  const { torrent, node: seeder } = await seed('hybrid', []);
  const { v1, v2 } = torrent.hashes;
  const magnet = formatMagnet({ ...(v2 && { v2 }), trackers: [tracker.url] });
  await addTorrent(await openNode(), magnet, { folder: await testFolder('peer-finder'), peers: [seeder.address] });
  const [first, second] = await Promise.all(
    [v2, v1].map((hash) => tracker.heard(({ swarmKey }) => hash !== undefined && swarmKey === swarmKeyOf(hash))),
  );
  expect([first?.event, second?.event]).toEqual(['started', 'started']);
});

test('a torrent that is stopped says goodbye to its trackers, while the node goes on', async () => {
  const { torrent: seeded, node: seeder } = await seed('v1', []);
  const tracker = await openTracker([seeder.address]);
  const node = await openNode();
  const magnet = formatMagnet({ ...seeded.hashes, trackers: [tracker.url] });
  const torrent = await addTorrent(node, magnet, { folder: await testFolder('peer-finder') });
  await torrent.done(); // so the tracker's answer is here
  await torrent.stop();
  await tracker.heard(({ event }) => event === 'stopped');
  expect(node.engine.torrents).toEqual([]);
});

test.each([
  { files: 'a whole copy', selectedFiles: [{ first: 0, last: 1 }], told: ['started', 'completed', 'stopped'] },
  { files: 'some files only', selectedFiles: [{ first: 1, last: 1 }], told: ['started', 'stopped'] },
])('trackers count $files as it is', async ({ selectedFiles, told }) => {
  const folder = path.join(await testFolder('peer-finder'), 'two');
  await mkdir(folder);
  for (const name of ['a', 'b']) await writeFile(path.join(folder, name), seededBytes(name, 300_000));
  const [seeder, node] = [await openNode(), await openNode()];
  const hashed = await hashPath(folder, { format: 'v1', pieceLengthBytes: 16_384 });
  const { torrent: seeded } = await seedFile(seeder, hashed, []);
  const tracker = await openTracker([seeder.address]);
  const magnet = formatMagnet({ ...seeded.hashes, trackers: [tracker.url] });
  const torrent = await addTorrent(node, magnet, { folder: await testFolder('peer-finder'), selectedFiles });
  await torrent.done();
  if (told.includes('completed')) await tracker.heard(({ event }) => event === 'completed');
  // What was to be told by now is told before what comes later.
  const { torrent: later } = await seedFile(node, await hashFile(path.join(folder, 'a')), [tracker.url]);
  await tracker.heard(({ swarmKey, event }) => swarmKey === later.keys[0] && event === 'started');
  await torrent.stop();
  await tracker.heard(({ swarmKey, event }) => swarmKey === torrent.keys[0] && event === 'stopped');
  expect(tracker.eventsOf(torrent.keys[0])).toEqual(told);
});

test('a WebSocket tracker is parted from when its torrent stops, while the node goes on', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  await once(server, 'listening');
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const node = await openNode();
  const connected = once(server, 'connection') as Promise<[WebSocket]>;
  const magnet = formatMagnet({ v1: parseInfoHashV1('ab'.repeat(20)), trackers: [url] });
  const torrent = await addTorrent(node, magnet, { folder: await testFolder('peer-finder') });
  const [socket] = await connected;
  const closed = once(socket, 'close');
  await torrent.stop();
  await closed;
  expect(server.clients.size).toBe(0);
});

test('strangers’ lists without end are announced to as far as the limit goes, and it is said', async () => {
  const asked = new Set<string>();
  const server = createServer(({ url = '' }, response) => {
    asked.add(url.slice(0, url.indexOf('?')));
    response.end(encodeHttpFailure('not here'));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // of a TCP server
  const trackers = Array.from({ length: 60 }, (_, at) => `http://127.0.0.1:${port}/${at}`);
  const warned: unknown[] = [];
  const node = await openNode({ ...silentLog, warn: (event, fields) => warned.push([event, fields?.['trackers']]) });
  const magnet = formatMagnet({ v1: parseInfoHashV1('ab'.repeat(20)), trackers });
  const torrent = await addTorrent(node, magnet, { folder: await testFolder('peer-finder') });
  expect(warned).toEqual([['tracker.left_out', 10]]);
  await eventually('fifty tiers', () => asked.size >= 50);
  await torrent.stop();
  expect(asked).toEqual(new Set(trackers.slice(0, 50).map((url) => new URL(url).pathname)));
});
