/**
 * Stock clients and Seedbed, both ways, over the wire alone: web seeds are stripped, so what arrives came from peers. The
 * server is the real one, with a file published over HTTP; its tracker is all that tells the two of each other.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { Guard } from '../../src/adapters/guard/guard.ts';
import { HttpTracker } from '../../src/adapters/tracker-client/http-tracker.ts';
import type { MediumInfo } from '../../src/base/api.ts';
import { AddressPolicy } from '../../src/base/address-policy.ts';
import { MIB } from '../../src/base/units.ts';
import { canonicalInfo, canonicalPieceLength } from '../../src/codec/canonical.ts';
import { formatMagnet } from '../../src/codec/magnet.ts';
import { infoHashV1Of, parseMetainfo, writeMetainfo } from '../../src/codec/metainfo.ts';
import { parseSha256, swarmKeyOf } from '../../src/base/ids.ts';
import { eventually } from '../support/eventually.ts';
import { describeWith } from '../support/peers.ts';
import { type Program, startProgram } from '../support/program.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { startServer } from '../support/server.ts';
import { temporaryFolder, testFolder } from '../support/temp-dir.ts';
import { STOCK_CLIENTS, type StockClient } from './clients.ts';
import { otherHost, type OtherHost } from './network.ts';

const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
const FILE = seededBytes('interop', 12 * MIB + 12_345);
const SHA256 = hashOf(FILE);
const TEST_TIMEOUT_MS = 150_000;
const TRANSFER = { timeoutMs: 130_000, intervalMs: 100 };

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A torrent without web seeds, as file and as magnet. */
interface Bare {
  readonly torrent: string;
  readonly magnet: string;
}

async function bare(rawInfo: Uint8Array, trackers: readonly string[]): Promise<Bare> {
  const torrent = path.join(await testFolder('interop'), 'bare.torrent');
  await writeFile(torrent, writeMetainfo({ rawInfo, trackers: trackers.map((tracker) => [tracker]) }));
  return { torrent, magnet: formatMagnet({ v1: await infoHashV1Of(rawInfo), trackers }) };
}

async function isWhole(file: string, sha256: string): Promise<boolean> {
  return hashOf(await readFile(file)) === sha256;
}

describeWith(['root', 'network namespaces'], 'stock clients on another host', () => {
  let host: OtherHost;
  let origin: string;
  let published: Uint8Array;
  let trackers: readonly string[];
  const running = new AsyncDisposableStack();

  beforeAll(async () => {
    host = running.use(await otherHost());
    const data = running.use(await temporaryFolder('interop-server'));
    const settings = { SEEDBED_HOST: host.here, SEEDBED_UPLOADS: 'anyone', SEEDBED_TRACKER_OPEN: 'true' };
    const server = running.use(await startServer({ dataFolder: data.path, settings }));
    origin = `http://${host.here}:${new URL(server.origin).port}`;
    const form = new FormData();
    form.append('file', new Blob([FILE]), 'film.bin');
    const answer = await fetch(`${origin}/api/v1/media`, { method: 'POST', body: form });
    expect(answer.status, await answer.clone().text()).toBe(201);
    const medium = (await (await fetch(`${origin}/api/v1/media/${SHA256}`)).json()) as MediumInfo;
    const metainfo = await fetch(medium.torrent?.torrentUrl ?? '');
    const { info, trackers: tiers, webSeeds } = parseMetainfo(new Uint8Array(await metainfo.arrayBuffer()));
    expect(webSeeds).toHaveLength(1);
    published = info.rawInfo;
    trackers = tiers.flat();
  }, 120_000);

  const guard = new Guard({ policy: new AddressPolicy() });
  afterAll(async () => {
    guard.close();
    await running.disposeAsync();
  });

  const trackersFor = (client: StockClient): readonly string[] =>
    trackers.filter((tracker) => tracker.startsWith('ws') === (client.trackers === 'websocket'));

  function ended(program: Program): Program {
    onTestFinished(async () => void (await program.stop()));
    return program;
  }

  for (const client of STOCK_CLIENTS)
    describeWith(client.needs, client.name, () => {
      test.each(['torrent', 'magnet'] as const)(
        'fetches a published file by %s, from our wire alone',
        async (by) => {
          const source = await bare(published, trackersFor(client));
          const folder = await testFolder('leech');
          const program = ended(await client.leech(host, source[by], folder));
          await eventually('the file is there', () => isWhole(path.join(folder, SHA256), SHA256), TRANSFER).catch(
            (error: unknown) => expect.fail(`${String(error)}\n${program.output.slice(-3_000)}`),
          );
        },
        TEST_TIMEOUT_MS,
      );

      test.each(['torrent', 'magnet'] as const)(
        'serves us a file by %s',
        async (by) => {
          const own = await ownFile(`${client.name} ${by}`);
          const source = await bare(own.rawInfo, trackersFor(client));
          const program = ended(await client.seed(host, source.torrent, own.folder));
          await eventually('it has announced', () => isSeeded(own.rawInfo), TRANSFER).catch((error: unknown) =>
            expect.fail(`${String(error)}\n${program.output.slice(-3_000)}`),
          );
          const target = path.join(await testFolder('get'), 'copy');
          const args = [MAIN, 'get', source[by], '-o', target, '--local', '--timeout', '40', '--json'];
          const get = ended(startProgram(process.execPath, args));
          const { code } = await get.ended;
          expect(code, `${get.output}\n${program.output.slice(-3_000)}`).toBe(0);
          expect(await isWhole(target, own.sha256)).toBe(true);
          const result: unknown = JSON.parse(get.output.trim().split('\n').at(-1) ?? '');
          expect(result).toMatchObject({ event: 'done', bytesFromHttp: 0 });
        },
        TEST_TIMEOUT_MS,
      );
    });

  /** A file that only the client has, under its canonical name. */
  async function ownFile(seed: string): Promise<{ folder: string; sha256: string; rawInfo: Uint8Array }> {
    const bytes = seededBytes(seed, 8 * MIB + 999);
    const folder = await testFolder('seed');
    const sha256 = hashOf(bytes);
    await writeFile(path.join(folder, sha256), bytes);
    const step = canonicalPieceLength(bytes.length);
    const digests: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += step)
      digests.push(
        createHash('sha1')
          .update(bytes.subarray(at, at + step))
          .digest(),
      );
    const pieces = new Uint8Array(Buffer.concat(digests));
    const rawInfo = canonicalInfo({ sha256: parseSha256(sha256), sizeBytes: bytes.length, pieces });
    return { folder, sha256, rawInfo };
  }

  async function isSeeded(rawInfo: Uint8Array): Promise<boolean> {
    const key = swarmKeyOf(await infoHashV1Of(rawInfo));
    const tracker = new HttpTracker(`${origin}/announce`, guard, 'judged');
    const counts = await tracker.scrape([key], new AbortController().signal);
    return (counts.get(key)?.seeders ?? 0) > 0;
  }
});
