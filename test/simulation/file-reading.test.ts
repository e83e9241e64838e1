/** Reading single files of a torrent: their own bytes, whatever shares their pieces. */
import { expect, test } from 'vitest';
import { concatBytes, equalBytes } from '../../src/base/bytes.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import type { Torrent } from '../../src/torrent/index.ts';
import { makeTorrent, MemoryStorage, Swarm, type TestTorrent } from '../support/swarm.ts';

const PIECE = 64 * KIB;
const FILES = [
  { lengthBytes: 100_000 },
  { lengthBytes: 5_000 },
  { lengthBytes: 26_072, isPad: true },
  { lengthBytes: 0 },
  { lengthBytes: MIB },
];
const TOTAL = FILES.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);

/** A viewer with one quick seed. */
async function start(): Promise<{ swarm: Swarm; source: TestTorrent; torrent: Torrent }> {
  const swarm = new Swarm();
  const source = await makeTorrent(TOTAL, PIECE, { files: FILES });
  const seed = swarm.addNode({ latencyMs: 5 });
  seed.engine.add({ ...source.hashes, info: source.info, storage: new MemoryStorage(source.bytes), have: 'all' });
  const storage = new MemoryStorage(new Uint8Array(TOTAL));
  const viewer = swarm.addNode();
  const torrent = viewer.engine.add({ ...source.hashes, info: source.info, storage, have: 'none', mode: 'on-demand' });
  torrent.addPeers([seed.address]);
  return { swarm, source, torrent };
}

async function readAll(swarm: Swarm, stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let isDone = false;
  const reading = (async () => {
    for await (const chunk of stream) chunks.push(chunk);
    isDone = true;
  })();
  await swarm.until(() => isDone, 10_000);
  await reading;
  return concatBytes(chunks);
}

test.each([
  { which: 'file 0', range: {}, from: 0, to: 100_000 },
  { which: 'file 1', range: {}, from: 100_000, to: 105_000 },
  { which: 1, range: { start: 4_000 }, from: 104_000, to: 105_000 },
  { which: 4, range: { start: 70_000, endExclusive: 200_001 }, from: 201_072, to: 331_073 },
  { which: 'file 3', range: {}, from: 0, to: 0 },
  { which: 4, range: { start: MIB }, from: 0, to: 0 },
])('$which read from $range is exactly its bytes', async ({ which, range, from, to }) => {
  const { swarm, source, torrent } = await start();
  const bytes = await readAll(swarm, torrent.file(which).read(range));
  expect(equalBytes(bytes, source.bytes.subarray(from, to))).toBe(true);
});

test('a file is fetched alone: only the pieces it has bytes in', async () => {
  const { swarm, torrent } = await start();
  await readAll(swarm, torrent.file('file 1').read());
  expect(torrent.stats().heldPieces).toBe(1);
});

test.each([{ which: 'no such file' }, { which: 9 }, { which: 2 }, { which: -1 }, { which: '.pad/2' }])(
  'there is no file $which to read',
  async ({ which }) => {
    const { torrent } = await start();
    expect(() => torrent.file(which)).toThrow(/no such file/);
  },
);

test.each([
  { start: -1 },
  { start: 5_001 },
  { endExclusive: 5_001 },
  { start: 10, endExclusive: 9 },
  { start: 0.5 },
  { endExclusive: Number.NaN },
])(
  'the range $start to $endExclusive of 5,000 bytes is refused, though the torrent goes on behind it',
  async (range) => {
    const { torrent } = await start();
    expect(() => torrent.file('file 1').read(range)).toThrow(/range outside the file/);
  },
);

test('before the metadata is known there are no files to open', () => {
  const swarm = new Swarm();
  const { engine } = swarm.addNode();
  const openStorage = () => Promise.reject(new Error('not reached'));
  const torrent = engine.addByHash({ v1: '0'.repeat(40) as never, openStorage });
  expect(() => torrent.file(0)).toThrow(/metadata is not known/);
});

test('leaving a file ends its wishes, and aborting says so', async () => {
  const { torrent } = await start();
  const abort = new AbortController();
  const outcome = torrent
    .file(4)
    .read({ signal: abort.signal })
    .getReader()
    .read()
    .catch((error: unknown) => error);
  abort.abort();
  expect(await outcome).toMatchObject({ code: 'cancelled' });
  expect(torrent.stats().readers).toBe(0);
});
