/**
 * Our tracker clients at trackers that others wrote: opentracker (the one behind most public trackers) and the server of
 * the WebTorrent world, over HTTP and UDP.
 */
import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Guard } from '../../src/adapters/guard/guard.ts';
import { Announcer } from '../../src/adapters/tracker-client/announcer.ts';
import { HttpTracker } from '../../src/adapters/tracker-client/http-tracker.ts';
import { UdpTrackers } from '../../src/adapters/tracker-client/udp-trackers.ts';
import { type TrackerClient, TrackerRefused } from '../../src/adapters/tracker-client/client.ts';
import { AddressPolicy } from '../../src/base/address-policy.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { AppError } from '../../src/base/errors.ts';
import { parseSwarmKey } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { createPeerId } from '../../src/codec/peer-id.ts';
import type { PeerAddress } from '../../src/torrent/index.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { describeWith } from '../support/peers.ts';
import { startProgram } from '../support/program.ts';
import { testFolder } from '../support/temp-dir.ts';

const KEY = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
const never = new AbortController().signal;

/** Starts the tracker; its ports. */
type Start = () => Promise<{ readonly http: number; readonly udp: number }>;

const opentracker: Start = async () => {
  const [port, folder] = [await freePort(), await testFolder('opentracker')];
  await chmod(folder, 0o755); // it gives up being root
  await writeFile(path.join(folder, 'known'), `${KEY}\n`);
  const place = ['-i', '127.0.0.1', '-p', String(port), '-P', String(port)];
  const program = startProgram('opentracker', [...place, '-d', folder, '-w', 'known']);
  onTestFinished(async () => void (await program.stop()));
  return { http: port, udp: port };
};

const webTorrentTracker: Start = async () => {
  const file = path.resolve(import.meta.dirname, '../../bench/peers/bittorrent-tracker.mjs');
  const program = startProgram(process.execPath, [file]);
  onTestFinished(async () => void (await program.stop()));
  const [, http, udp] = await program.line(/READY (\d+) (\d+)/);
  return { http: Number(http), udp: Number(udp) };
};

/** A peer that announces there, at a port that tells it from others. */
function peer(url: string, port: number, leftBytes: number) {
  const guard = new Guard({ policy: new AddressPolicy() });
  const udp = new UdpTrackers(guard);
  const announcer = new Announcer({ clock: systemClock, log: silentLog, random: Math.random });
  const client: TrackerClient = url.startsWith('udp')
    ? udp.client(url, 'judged')
    : new HttpTracker(url, guard, 'judged');
  const found: PeerAddress[] = [];
  const peerId = createPeerId();
  onTestFinished(async () => {
    await announcer.stop();
    udp.close();
    guard.close();
  });
  return {
    client,
    found,
    start: () =>
      announcer.add({
        key: KEY,
        tiers: [[client]],
        describe: () => ({ peerId, port, uploadedBytes: 0, downloadedBytes: 0, leftBytes }),
        found: (peers) => found.push(...peers),
      }),
  };
}

/** The WebTorrent tracker's HTTP scrape writes info hashes as UTF-8, which nobody can read: it is counted over UDP. */
const TRACKERS: readonly [string, readonly 'opentracker'[], Start, scrapesOverHttp: boolean][] = [
  ['opentracker', ['opentracker'], opentracker, true],
  ['the WebTorrent tracker', [], webTorrentTracker, false],
];

for (const [name, needs, start, scrapesOverHttp] of TRACKERS)
  describeWith(needs, `at ${name}`, () => {
    test.each(['http', 'udp'] as const)(
      'our peers find each other, complete, are counted and leave, over %s',
      async (protocol) => {
        const ports = await start();
        const url = `${protocol}://127.0.0.1:${ports[protocol]}/announce`;
        const [seed, leech] = [peer(url, 5_001, 0), peer(url, 5_002, 1)];
        const counter = scrapesOverHttp ? seed : peer(`udp://127.0.0.1:${ports.udp}/announce`, 5_003, 1);
        const counted = async (): Promise<string> => {
          const { seeders, leechers } = (await counter.client.scrape([KEY], never)).get(KEY) ?? {
            seeders: 0,
            leechers: 0,
          };
          return `${seeders} ${leechers}`;
        };
        await eventually('it answers', async () => (await counted()) === '0 0');
        const seeding = seed.start();
        await eventually('the seed is counted', async () => (await counted()) === '1 0');
        const leeching = leech.start();
        await eventually('the leech finds the seed', () => leech.found.some(({ port }) => port === 5_001));
        expect(leech.found).toContainEqual({ host: '127.0.0.1', port: 5_001 });
        expect(await counted()).toBe('1 1');
        leeching.completed();
        await seeding.stop();
        await eventually('the seed is gone', async () => ['0 1', '1 0'].includes(await counted()));
        await leeching.stop();
        await eventually('both are gone', async () => (await counted()) === '0 0');
      },
    );
  });

describeWith(['opentracker'], 'a tracker that takes few torrents', () => {
  test('says so, and that is no failure of the tracker', async () => {
    const { http } = await opentracker();
    const { client } = peer(`http://127.0.0.1:${http}/announce`, 5_004, 1);
    const foreign = {
      swarmKey: parseSwarmKey('0'.repeat(40)),
      peerId: createPeerId(),
      port: 5_004,
      event: 'started',
    } as const;
    const answer = await eventually('it answers', () =>
      client
        .announce({ ...foreign, uploadedBytes: 0, downloadedBytes: 0 }, never)
        .catch((error: AppError) => (error.code === 'unavailable' ? false : error)),
    );
    expect(answer).toBeInstanceOf(TrackerRefused);
    expect(answer).toMatchObject({ message: expect.stringMatching(/not authorized/) });
  });
});
