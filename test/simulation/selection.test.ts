/** What is fetched and what is not: files, priorities, modes, pauses, and what peers are told about it. */
import { expect, test } from 'vitest';
import { concatBytes, equalBytes } from '../../src/base/bytes.ts';
import { KIB } from '../../src/base/units.ts';
import { Bitfield } from '../../src/codec/bitfield.ts';
import { decodeExtendedHandshake } from '../../src/codec/extension.ts';
import { encodeBitfield } from '../../src/codec/wire-encode.ts';
import type { Torrent, TorrentOptions } from '../../src/torrent/index.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { keyOf, makeTorrent, MemoryStorage, Swarm, type Node, type TestTorrent } from '../support/swarm.ts';

const PIECE = 32 * KIB;
/** Three files: pieces 0–10, 10–20 and 20–31; they share the pieces 10 and 20. */
const FILE_BYTES = 10 * PIECE + 11 * KIB;
const LENGTHS = [FILE_BYTES, FILE_BYTES, 10 * PIECE + 5 * KIB];
const SIZE = LENGTHS.reduce((sum, length) => sum + length);

function threeFiles(): Promise<TestTorrent> {
  return makeTorrent(SIZE, PIECE, { files: LENGTHS.map((lengthBytes) => ({ lengthBytes })) });
}

async function twoNodes(options: Partial<TorrentOptions> = {}, uploadBytesPerSecond?: number) {
  const swarm = new Swarm();
  const source = await threeFiles();
  const seed = swarm.addNode({ latencyMs: 5, ...(uploadBytesPerSecond && { uploadBytesPerSecond }) });
  const { hashes, info, bytes } = source;
  seed.engine.add({ ...hashes, info, storage: new MemoryStorage(bytes), have: 'all' });
  const leech = swarm.addNode({ latencyMs: 5 });
  const storage = new MemoryStorage(new Uint8Array(SIZE));
  const torrent = leech.engine.add({ ...hashes, info, storage, have: 'none', ...options });
  let done = 0;
  torrent.events.on('done', () => done++);
  return { swarm, source, seed, leech, storage, torrent, doneTimes: () => done };
}

function heldPieces(torrent: Torrent): number[] {
  const held: number[] = [];
  torrent.have.forEachSet((piece) => void held.push(piece));
  return held;
}

function bitfieldOf(pieces: readonly number[]): Bitfield {
  const bitfield = new Bitfield(Math.ceil(SIZE / PIECE));
  for (const piece of pieces) bitfield.set(piece);
  return bitfield;
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return concatBytes(chunks);
}

function fileBytes(bytes: Uint8Array, file: number): Uint8Array {
  const start = file * FILE_BYTES;
  return bytes.subarray(start, start + (LENGTHS[file] ?? 0));
}

async function meet(swarm: Swarm, node: Node, source: TestTorrent): Promise<ScriptedPeer> {
  const peer = new ScriptedPeer(await swarm.addMachine().dial(node.address));
  return peer.sayHello({ swarmKey: keyOf(source), extensions: true });
}

/** Whether it was told that we want nothing, each time it was told anything. */
function uploadOnlySaid(peer: ScriptedPeer): (boolean | undefined)[] {
  return peer.messages.flatMap((message) =>
    message.type === 'extended' && message.extensionId === 0
      ? [decodeExtendedHandshake(message.payload).uploadOnly]
      : [],
  );
}

test.each([
  { selected: [{ first: 0, last: 0 }], files: [0], pieces: range(0, 10) },
  { selected: [{ first: 1, last: 1 }], files: [1], pieces: range(10, 20) },
  {
    selected: [
      { first: 0, last: 0 },
      { first: 2, last: 7_000 },
    ],
    files: [0, 2],
    pieces: [...range(0, 10), ...range(20, 30)],
  },
])('of the files $selected only the pieces are fetched, and then it is done', async ({ selected, files, pieces }) => {
  const { swarm, source, seed, storage, torrent, doneTimes } = await twoNodes({ selectedFiles: selected });
  torrent.addPeers([seed.address]);
  await swarm.until(() => doneTimes() > 0);
  await swarm.clock.advanceAsync(60_000);
  expect(heldPieces(torrent)).toEqual(pieces);
  for (const file of files)
    expect(equalBytes(fileBytes(storage.bytes, file), fileBytes(source.bytes, file))).toBe(true);
  expect([torrent.isDone, torrent.isComplete, doneTimes(), storage.syncs]).toEqual([true, false, 1, 1]);
  const selectedBytes = files.reduce((sum, file) => sum + (LENGTHS[file] ?? 0), 0);
  expect(torrent.stats()).toMatchObject({ selectedBytes, heldSelectedBytes: selectedBytes });
  expect(torrent.files().map(({ priority }) => priority)).toEqual(
    [0, 1, 2].map((file) => (files.includes(file) ? 'normal' : 'skip')),
  );
});

test('files of a magnet are selected when its metadata comes (BEP 53), and nothing else is asked for before', async () => {
  const { swarm, source, seed, leech } = await twoNodes();
  await leech.engine.stop();
  const node = swarm.addNode({ latencyMs: 5 });
  const storage = new MemoryStorage(new Uint8Array(SIZE));
  const torrent = node.engine.addByHash({
    ...source.hashes,
    selectedFiles: [{ first: 1, last: 1 }],
    openStorage: async () => ({ storage, have: 'none' }),
  });
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.isDone);
  expect(heldPieces(torrent)).toEqual(range(10, 20));
  expect(torrent.stats().bytesFromPeers).toBe(11 * PIECE);
});

test('what the owner selects by the names in the metadata goes before what the magnet says', async () => {
  const { swarm, source, seed, leech } = await twoNodes();
  await leech.engine.stop();
  const node = swarm.addNode({ latencyMs: 5 });
  const storage = new MemoryStorage(new Uint8Array(SIZE));
  const torrent = node.engine.addByHash({
    ...source.hashes,
    selectedFiles: [{ first: 0, last: 0 }],
    openStorage: async ({ files }) => {
      const at = files.findIndex(({ path }) => path.join('/') === 'file 2');
      return { storage, have: 'none', selectedFiles: [{ first: at, last: at }] };
    },
  });
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.isDone);
  expect(heldPieces(torrent)).toEqual(range(20, 30));
});

test('files of high priority come before normal ones, and low ones last', async () => {
  const { swarm, seed, torrent } = await twoNodes();
  torrent.prioritize([
    { first: 0, last: 0, priority: 'low' },
    { first: 2, last: 2, priority: 'high' },
  ]);
  const order: number[] = [];
  torrent.events.on('verified', ({ piece }) => void order.push(piece));
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.isComplete);
  const sorted = (from: number, to: number): number[] => order.slice(from, to).toSorted((a, b) => a - b);
  expect([sorted(0, 11), sorted(11, 21), sorted(21, 31)]).toEqual([range(20, 30), range(10, 19), range(0, 9)]);
});

test('a file left out while it is being fetched is not fetched on, and may be wanted again', async () => {
  const { swarm, source, seed, leech, storage, torrent, doneTimes } = await twoNodes({}, 64 * KIB);
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.have.count >= 4);
  torrent.select([{ first: 0, last: 0 }]);
  await swarm.clock.advanceAsync(100);
  const others = heldPieces(torrent).filter((piece) => piece > 10);
  await swarm.until(() => doneTimes() === 1);
  expect(heldPieces(torrent)).toEqual([...range(0, 10), ...others]);
  expect(leech.engine.bufferBytes).toBe(0);
  torrent.prioritize([{ first: 1, last: 1, priority: 'normal' }]);
  expect(torrent.isDone).toBe(false);
  const tookMs = await swarm.until(() => doneTimes() === 2);
  expect(tookMs).toBeLessThan(11_000); // the seed it parted from was asked again at once
  torrent.select([{ first: 0, last: 2 }]);
  await swarm.until(() => doneTimes() === 3);
  expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
});

test('a reader gets a file that is not selected, and nothing more of it', async () => {
  const { swarm, source, seed, torrent } = await twoNodes({ selectedFiles: [{ first: 0, last: 0 }] });
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.isDone);
  const start = 2 * FILE_BYTES;
  let read: Uint8Array | undefined;
  const reading = readAll(torrent.read({ start, endExclusive: start + 3 * PIECE })).then((bytes) => (read = bytes));
  await swarm.until(() => read !== undefined);
  await reading;
  expect(equalBytes(read ?? new Uint8Array(), source.bytes.subarray(start, start + 3 * PIECE))).toBe(true);
  await swarm.clock.advanceAsync(5_000);
  expect(heldPieces(torrent)).toEqual([...range(0, 10), ...range(20, 23)]);
});

test('a piece of a file that is not selected is not fetched on when its reader leaves', async () => {
  const { swarm, source, leech, torrent } = await twoNodes({ selectedFiles: [{ first: 0, last: 0 }] });
  const machine = swarm.addMachine({ uploadBytesPerSecond: 64 * KIB });
  const seed = new ScriptedPeer(await machine.dial(leech.address));
  seed
    .sayHello({ swarmKey: keyOf(source) })
    .signal('haveAll')
    .signal('unchoke');
  let readerBlocks = 0;
  seed.onRequest = (request) => {
    if (request.piece === 25 && readerBlocks++ > 0) return;
    const start = request.piece * PIECE + request.offsetBytes;
    seed.sendBlock(request, source.bytes.slice(start, start + request.lengthBytes));
  };
  const reader = torrent.read({ start: 25 * PIECE, endExclusive: 26 * PIECE }).getReader();
  await swarm.clock.advanceAsync(1_000);
  expect(readerBlocks).toBe(2);
  await reader.cancel();
  await swarm.until(() => torrent.isDone);
  expect(heldPieces(torrent)).toEqual(range(0, 10));
  expect([seed.heard('cancel'), readerBlocks]).toEqual([1, 2]);
});

test('who has nothing that is selected is not interesting; who has some is', async () => {
  const { swarm, source, leech, torrent } = await twoNodes({ selectedFiles: [{ first: 2, last: 2 }] });
  const peer = await meet(swarm, leech, source);
  peer.send(encodeBitfield(bitfieldOf(range(0, 19))));
  await swarm.clock.advanceAsync(2_000);
  expect(peer.heard('interested')).toBe(0);
  torrent.prioritize([{ first: 1, last: 1, priority: 'low' }]);
  await swarm.clock.advanceAsync(50);
  expect(peer.heard('interested')).toBe(1);
  torrent.select([{ first: 2, last: 2 }]);
  await swarm.clock.advanceAsync(50);
  expect(peer.heard('not-interested')).toBe(1);
});

test('once the selection is here peers hear that we only upload (BEP 21), and a reader takes that back', async () => {
  const { swarm, source, leech, torrent } = await twoNodes({ selectedFiles: [{ first: 0, last: 0 }] });
  const seed = await meet(swarm, leech, source);
  seed.signal('haveAll').signal('unchoke').serve(source.bytes, PIECE);
  const leecher = await meet(swarm, leech, source);
  leecher.signal('haveNone').signal('interested').sayExtensions({ extensions: {} });
  const partial = await meet(swarm, leech, source);
  partial.signal('haveNone').sayExtensions({ extensions: {}, uploadOnly: true });
  await swarm.until(() => torrent.isDone);
  await swarm.clock.advanceAsync(1_100);
  expect(uploadOnlySaid(leecher)).toEqual([false, true]);
  expect([seed.isClosed, partial.isClosed, leecher.isClosed]).toEqual([true, true, false]);
  const reader = torrent.read({ start: 2 * FILE_BYTES, endExclusive: SIZE }).getReader();
  await swarm.clock.advanceAsync(100);
  expect(uploadOnlySaid(leecher)).toEqual([false, true, false]);
  await reader.cancel();
  await swarm.clock.advanceAsync(30_000); // a seek may follow
  expect(uploadOnlySaid(leecher)).toHaveLength(3);
  await swarm.clock.advanceAsync(40_000);
  expect(uploadOnlySaid(leecher)).toEqual([false, true, false, true]);
});

test('on demand nothing but what readers want is fetched; all again, the rest comes', async () => {
  const { swarm, seed, leech, torrent } = await twoNodes({}, 64 * KIB);
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.have.count >= 3);
  torrent.setMode('on-demand');
  await swarm.clock.advanceAsync(2_000);
  const held = heldPieces(torrent);
  expect(leech.engine.bufferBytes).toBe(0);
  await swarm.clock.advanceAsync(20_000);
  expect(heldPieces(torrent)).toEqual(held);
  torrent.setMode('all');
  await swarm.until(() => torrent.isComplete);
});

test('seed-only, nothing is fetched, and readers of what is missing end at once', async () => {
  const { swarm, seed, torrent } = await twoNodes({}, 64 * KIB);
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.have.count >= 3);
  const running = readAll(torrent.read({ start: 0, endExclusive: SIZE })).catch((error: unknown) => error);
  torrent.setMode('seed-only');
  expect(await running).toMatchObject({ code: 'not_found' });
  await expect(readAll(torrent.read({ start: 0, endExclusive: SIZE }))).rejects.toMatchObject({ code: 'not_found' });
  await swarm.clock.advanceAsync(2_000);
  const { count } = torrent.have;
  await swarm.clock.advanceAsync(30_000);
  expect(torrent.have.count).toBe(count);
});

test('paused, it has no peers, dials nobody, lets nobody in, and its readers wait until it goes on', async () => {
  const { swarm, source, seed, leech, storage, torrent } = await twoNodes({}, 64 * KIB);
  torrent.addPeers([seed.address]);
  let read: Uint8Array | undefined;
  const reading = readAll(torrent.read({ start: FILE_BYTES, endExclusive: SIZE })).then((bytes) => (read = bytes));
  await swarm.until(() => torrent.have.count >= 3);
  torrent.pause();
  await swarm.clock.advanceAsync(100);
  const { count } = torrent.have;
  const visitor = await meet(swarm, leech, source);
  const listener = swarm.addMachine();
  let dialled = 0;
  listener.listen(1, () => dialled++);
  torrent.addPeers([{ host: listener.host, port: 1 }]);
  await swarm.clock.advanceAsync(120_000);
  expect(dialled).toBe(0);
  expect([torrent.peerCount, torrent.have.count, leech.engine.bufferBytes]).toEqual([0, count, 0]);
  expect([visitor.isClosed, swarm.network.openSockets, read]).toEqual([true, 0, undefined]);
  expect(swarm.clock.pending).toBe(0);
  torrent.resume();
  const tookMs = await swarm.until(() => torrent.isComplete);
  await reading;
  expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
  expect(equalBytes(read ?? new Uint8Array(), source.bytes.subarray(FILE_BYTES))).toBe(true);
  expect(tookMs).toBeLessThan(20_000);
});

test('what is chosen before the metadata is known holds afterwards: files, mode, pause', async () => {
  const { swarm, source, seed, leech } = await twoNodes();
  await leech.engine.stop();
  const node = swarm.addNode({ latencyMs: 5 });
  const storage = new MemoryStorage(new Uint8Array(SIZE));
  const torrent = node.engine.addByHash({ ...source.hashes, openStorage: async () => ({ storage, have: 'none' }) });
  torrent.pause();
  torrent.addPeers([seed.address]);
  torrent.select([{ first: 0, last: 1 }]);
  torrent.prioritize([{ first: 0, last: 0, priority: 'skip' }]);
  torrent.setMode('on-demand');
  await swarm.clock.advanceAsync(30_000);
  expect(torrent.info).toBeUndefined();
  torrent.resume();
  await swarm.until(() => torrent.info !== undefined);
  await swarm.clock.advanceAsync(5_000);
  expect(torrent.have.count).toBe(0);
  torrent.setMode('all');
  await swarm.until(() => torrent.isDone);
  expect(heldPieces(torrent)).toEqual(range(10, 20));
});

test('a pad file is neither wanted nor counted, and a torrent with pads completes (BEP 47)', async () => {
  const swarm = new Swarm();
  const files = [{ lengthBytes: PIECE + 5 }, { lengthBytes: PIECE - 5, isPad: true }, { lengthBytes: 3 * PIECE }];
  const source = await makeTorrent(5 * PIECE, PIECE, { files });
  const { hashes, info, bytes } = source;
  const seed = swarm.addNode();
  seed.engine.add({ ...hashes, info, storage: new MemoryStorage(bytes), have: 'all' });
  const storage = new MemoryStorage(new Uint8Array(bytes.length));
  const torrent = swarm
    .addNode()
    .engine.add({ ...hashes, info, storage, have: 'none', selectedFiles: [{ first: 1, last: 1 }] });
  torrent.addPeers([seed.address]);
  await swarm.clock.advanceAsync(5_000);
  expect([torrent.have.count, torrent.isDone, torrent.stats().selectedBytes]).toEqual([0, true, 0]);
  expect(torrent.files().map(({ index }) => index)).toEqual([0, 2]);
  torrent.select([{ first: 0, last: 2 }]);
  await swarm.until(() => torrent.isComplete);
  expect(torrent.stats()).toMatchObject({ selectedBytes: 4 * PIECE + 5, heldSelectedBytes: 4 * PIECE + 5 });
});
