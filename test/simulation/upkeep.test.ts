/** Looking after stored bytes: rechecks, data of unknown state, and letting pieces go, while peers and readers go on. */
import { expect, test } from 'vitest';
import { concatBytes, equalBytes } from '../../src/base/bytes.ts';
import { NotFound, StorageFailed, Unavailable } from '../../src/base/errors.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { Bitfield } from '../../src/codec/bitfield.ts';
import { decodeDontHave } from '../../src/codec/extension.ts';
import { encodeBitfield } from '../../src/codec/wire-encode.ts';
import type { BlockRef } from '../../src/codec/wire.ts';
import type { RecheckProgress, Torrent, TorrentOptions } from '../../src/torrent/index.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { keyOf, makeTorrent, MemoryStorage, Swarm, type Node, type TestTorrent } from '../support/swarm.ts';

const PIECE = 64 * KIB;
const PIECES = 16;
/** The id under which scripted peers want lt_donthave. */
const DONTHAVE = 9;

/** Storage that can be slow; counts what it reads at once. */
class SlowStorage extends MemoryStorage {
  delayMs = 0;
  reading = 0;
  mostReading = 0;
  onRead: () => void = () => undefined;
  readonly #swarm: Swarm;

  constructor(swarm: Swarm, bytes: Uint8Array) {
    super(bytes);
    this.#swarm = swarm;
  }

  override async read(views: readonly Uint8Array[], position: number): Promise<void> {
    this.reading++;
    this.mostReading = Math.max(this.mostReading, this.reading);
    this.onRead();
    if (this.delayMs > 0) await new Promise<void>((resolve) => void this.#swarm.clock.after(this.delayMs, resolve));
    await super.read(views, position).finally(() => this.reading--);
  }
}

interface World {
  readonly swarm: Swarm;
  readonly source: TestTorrent;
  readonly node: Node;
  readonly storage: SlowStorage;
  readonly torrent: Torrent;
  readonly lost: number[];
  readonly events: string[];
}

/** A node that says it has everything; `damaged` pieces are not right in its storage. */
async function world(
  options: Partial<TorrentOptions> & {
    have?: 'all' | 'check' | 'none';
    damaged?: readonly number[];
    pieces?: number;
    readMs?: number;
  } = {},
): Promise<World> {
  const { have = 'all', damaged = [], pieces = PIECES, readMs = 0, ...rest } = options;
  const swarm = new Swarm();
  const source = await makeTorrent(pieces * PIECE - 1_000, PIECE);
  const node = swarm.addNode();
  const storage = new SlowStorage(swarm, have === 'none' ? new Uint8Array(source.bytes.length) : source.bytes.slice());
  storage.delayMs = readMs;
  for (const piece of damaged) storage.bytes.fill(0, piece * PIECE, piece * PIECE + 100);
  const torrent = node.engine.add({ ...source.hashes, info: source.info, storage, have, ...rest });
  const [lost, events]: [number[], string[]] = [[], []];
  torrent.events.on('lost', ({ pieces: gone }) => void lost.push(...gone));
  torrent.events.on('checked', () => void events.push('checked'));
  torrent.events.on('done', () => void events.push('done'));
  return { swarm, source, node, storage, torrent, lost, events };
}

async function meet({ swarm, node, source }: World, lt_donthave?: number): Promise<ScriptedPeer> {
  const peer = new ScriptedPeer(await swarm.addMachine().dial(node.address));
  peer.sayHello({ swarmKey: keyOf(source), extensions: true });
  return peer.sayExtensions({ extensions: lt_donthave === undefined ? {} : { lt_donthave } });
}

function addSeed({ swarm, source }: World): Node {
  const seed = swarm.addNode();
  const storage = new MemoryStorage(source.bytes);
  seed.engine.add({ ...source.hashes, info: source.info, storage, have: 'all' });
  return seed;
}

function heardLost(peer: ScriptedPeer): number[] {
  return peer.messages.flatMap((message) =>
    message.type === 'extended' && message.extensionId === DONTHAVE ? [decodeDontHave(message.payload)] : [],
  );
}

async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return concatBytes(chunks);
}

/** Runs a recheck to its end under virtual time. */
async function recheck({ swarm, torrent }: World, progress: RecheckProgress[] = []): Promise<void> {
  let ended = false;
  const running = torrent.recheck({ onProgress: (at) => void progress.push(at) }).finally(() => (ended = true));
  await swarm.until(() => ended);
  await running;
}

test('a recheck finds what went wrong on the disk, fetches it anew, and reports how far it is', async () => {
  const here = await world({ damaged: [3, 7] });
  here.torrent.addPeers([addSeed(here).address]);
  const progress: RecheckProgress[] = [];
  await recheck(here, progress);
  expect(here.lost.toSorted((a, b) => a - b)).toEqual([3, 7]);
  expect(progress.map(({ checkedPieces }) => checkedPieces)).toEqual(Array.from({ length: PIECES }, (_, at) => at + 1));
  expect(progress.at(-1)).toEqual({ checkedPieces: PIECES, pieceCount: PIECES });
  await here.swarm.until(() => here.torrent.isComplete);
  expect(equalBytes(here.storage.bytes, here.source.bytes)).toBe(true);
  expect(here.torrent.stats()).toMatchObject({ bytesFromPeers: 2 * PIECE, uncheckedPieces: 0 });
  await here.swarm.until(() => here.events.includes('done'));
  expect(here.events).toEqual(['checked', 'done']);
  expect(here.node.engine.bufferBytes).toBe(0);
});

test('peers hear which pieces are gone (BEP 54); those who cannot hear it, and lack them, have to reconnect', async () => {
  const here = await world({ damaged: [3, 7], mode: 'seed-only' });
  const hearing = await meet(here, DONTHAVE);
  const deaf = await meet(here);
  const deafWithBoth = await meet(here);
  const both = new Bitfield(PIECES);
  for (const piece of [3, 7]) both.set(piece);
  hearing.signal('haveNone').signal('interested');
  deaf.signal('haveNone').signal('interested');
  deafWithBoth.send(encodeBitfield(both)).signal('interested');
  await here.swarm.clock.advanceAsync(100);
  await recheck(here);
  await here.swarm.clock.advanceAsync(100);
  expect(heardLost(hearing).toSorted((a, b) => a - b)).toEqual([3, 7]);
  expect([hearing.isClosed, deaf.isClosed, deafWithBoth.isClosed]).toEqual([false, true, false]);
  const again = await meet(here);
  await here.swarm.clock.advanceAsync(100);
  const said = again.messages.find((message) => message.type === 'bitfield');
  expect(said?.type === 'bitfield' && Bitfield.fromBytes(said.bytes, PIECES).count).toBe(PIECES - 2);
});

test('what waits to be served of a piece that is gone is rejected, and asking for it again, too', async () => {
  const here = await world({ uploadBytesPerSecond: 16 * KIB, mode: 'seed-only' });
  const peer = await meet(here, DONTHAVE);
  peer.signal('haveNone').signal('interested');
  await here.swarm.clock.advanceAsync(100);
  const blocksOf = (piece: number): BlockRef[] =>
    [0, 1, 2, 3].map((block) => ({ piece, offsetBytes: block * 16 * KIB, lengthBytes: 16 * KIB }));
  peer.request(...blocksOf(5), ...blocksOf(6));
  await here.swarm.clock.advanceAsync(200);
  const dropping = here.torrent.dropPieces(5, 5);
  await here.swarm.clock.advanceAsync(30_000);
  expect(await dropping).toEqual([5]);
  const served = peer.blocks.filter(({ ref }) => ref.piece === 5).length;
  const rejected = peer.messages.filter((message) => message.type === 'reject' && message.block.piece === 5).length;
  expect(served + rejected).toBe(4);
  expect(rejected).toBeGreaterThan(0);
  expect(peer.blocks.filter(({ ref }) => ref.piece === 6)).toHaveLength(4);
  peer.request({ piece: 5, offsetBytes: 0, lengthBytes: 16 * KIB });
  await here.swarm.clock.advanceAsync(100);
  expect(peer.heard('reject')).toBe(rejected + 1);
});

test('data of unknown state is looked at first: what is right is kept, only the rest is fetched', async () => {
  const here = await world({ have: 'check', damaged: [2, 9, 10], readMs: 50 });
  const seed = await meet(here);
  seed.signal('haveAll').signal('unchoke').serve(here.source.bytes, PIECE);
  await here.swarm.clock.advanceAsync(45);
  expect([here.torrent.have.count, here.torrent.stats().uncheckedPieces, seed.requests.length]).toEqual([0, PIECES, 0]);
  await here.swarm.until(() => here.torrent.isComplete);
  expect(new Set(seed.requests.map(({ piece }) => piece))).toEqual(new Set([2, 9, 10]));
  expect(equalBytes(here.storage.bytes, here.source.bytes)).toBe(true);
  await here.swarm.until(() => here.events.includes('done'));
  expect([...here.events].toSorted()).toEqual(['checked', 'done']);
});

test('data that turns out to be whole is seeded, without being reported as a download', async () => {
  const here = await world({ have: 'check' });
  await here.swarm.until(() => here.torrent.isComplete);
  await here.swarm.clock.advanceAsync(2_000);
  expect([here.events, here.torrent.isDone]).toEqual([['checked'], true]);
  const peer = await meet(here);
  await here.swarm.clock.advanceAsync(100);
  expect(peer.heard('have-all')).toBe(1);
});

test('what a reader waits for is looked at first', async () => {
  const here = await world({ have: 'check', pieces: 200, mode: 'on-demand' });
  here.storage.delayMs = 20;
  let read: Uint8Array | undefined;
  const start = 190 * PIECE;
  const reading = readAll(here.torrent.read({ start, endExclusive: start + PIECE })).then((bytes) => (read = bytes));
  await here.swarm.until(() => read !== undefined);
  await reading;
  expect(equalBytes(read ?? new Uint8Array(), here.source.bytes.subarray(start, start + PIECE))).toBe(true);
  expect(here.torrent.stats().uncheckedPieces).toBeGreaterThan(150);
});

test('no more pieces are read at once than the engine hashes, and no more memory than its pieces may use', async () => {
  const here = await world({ pieces: 64 });
  here.storage.delayMs = 10;
  let most = 0;
  here.storage.onRead = () => (most = Math.max(most, here.node.engine.bufferBytes));
  await recheck(here);
  expect([here.storage.mostReading, most]).toEqual([4, 4 * PIECE]);
});

test('where piece memory is full the recheck waits for some', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(8 * PIECE, PIECE);
  const node = swarm.addNode({}, { limits: { pieceBufferBytes: PIECE } });
  const storage = new SlowStorage(swarm, source.bytes.slice());
  storage.delayMs = 10;
  const torrent = node.engine.add({ ...source.hashes, info: source.info, storage, have: 'check' });
  await swarm.until(() => torrent.isComplete);
  expect(storage.mostReading).toBe(1);
});

test('others get their turn while a recheck runs, even over storage that answers at once', async () => {
  const here = await world({ pieces: 2_000 });
  let ended = false;
  const running = here.torrent.recheck().finally(() => (ended = true));
  for (let turn = 0; turn < 50_000; turn++) await Promise.resolve();
  expect(ended).toBe(false);
  expect(2_000 - here.torrent.stats().uncheckedPieces).toBeLessThanOrEqual((4 * 16 * MIB) / PIECE);
  await here.swarm.until(() => ended);
  await running;
});

test('aborted, what was not looked at counts as before, and a new recheck may begin', async () => {
  const here = await world({ damaged: [0, 15] });
  here.storage.delayMs = 100;
  const stop = new AbortController();
  const outcome = here.torrent.recheck({ signal: stop.signal }).catch((error: unknown) => error);
  await expect(here.torrent.recheck()).rejects.toMatchObject({ code: 'conflict' });
  await here.swarm.clock.advanceAsync(150);
  stop.abort();
  await here.swarm.clock.advanceAsync(150);
  expect(await outcome).toMatchObject({ code: 'cancelled' });
  expect([here.lost, here.torrent.have.has(15), here.torrent.stats().uncheckedPieces]).toEqual([[0], true, 0]);
  here.storage.delayMs = 0;
  await recheck(here);
  expect(here.lost).toEqual([0, 15]);
});

test('aborted, what is missing is fetched again', async () => {
  const here = await world({ have: 'none', readMs: 100 });
  const stop = new AbortController();
  const outcome = here.torrent.recheck({ signal: stop.signal }).catch((error: unknown) => error);
  here.torrent.addPeers([addSeed(here).address]);
  await here.swarm.clock.advanceAsync(50);
  expect(here.torrent.peers()[0]?.outstandingBlocks).toBe(0);
  stop.abort();
  await here.swarm.until(() => here.torrent.isComplete);
  expect(await outcome).toMatchObject({ code: 'cancelled' });
});

test('a recheck needs the metadata', async () => {
  const swarm = new Swarm();
  const { hashes, bytes } = await makeTorrent(MIB, PIECE);
  const storage = new MemoryStorage(bytes);
  const torrent = swarm
    .addNode()
    .engine.addByHash({ ...hashes, openStorage: async () => ({ storage, have: 'check' }) });
  await expect(torrent.recheck()).rejects.toMatchObject({ code: 'conflict' });
});

test('what cannot be read is not there', async () => {
  const here = await world({ have: 'check', mode: 'on-demand' });
  const cut = new SlowStorage(here.swarm, here.source.bytes.slice(0, 5 * PIECE));
  const node = here.swarm.addNode();
  const torrent = node.engine.add({ ...here.source.hashes, info: here.source.info, storage: cut, have: 'check' });
  await here.swarm.until(() => torrent.stats().uncheckedPieces === 0);
  expect(torrent.have.count).toBe(5);
});

test('pieces that nobody wants are let go: told to peers, not served, and fetched again for a reader', async () => {
  const here = await world({ mode: 'on-demand' });
  const peer = await meet(here, DONTHAVE);
  peer.signal('haveNone');
  await here.swarm.clock.advanceAsync(100);
  const dropping = here.torrent.dropPieces(4, 99);
  await here.swarm.clock.advanceAsync(10);
  const dropped = await dropping;
  expect(dropped).toEqual(Array.from({ length: 12 }, (_, at) => 4 + at));
  expect([heardLost(peer), here.lost]).toEqual([dropped, dropped]);
  here.storage.bytes.fill(0, 4 * PIECE);
  here.torrent.addPeers([addSeed(here).address]);
  let read: Uint8Array | undefined;
  const reading = readAll(here.torrent.read({ start: 0, endExclusive: 6 * PIECE })).then((bytes) => (read = bytes));
  await here.swarm.until(() => read !== undefined);
  await reading;
  expect(equalBytes(read ?? new Uint8Array(), here.source.bytes.subarray(0, 6 * PIECE))).toBe(true);
});

test.each([
  { wanted: 'a reader', mode: 'on-demand' as const, kept: [10, 11] },
  { wanted: 'the selection', mode: 'all' as const, kept: Array.from({ length: PIECES }, (_, at) => at) },
])('what $wanted wants is not let go', async ({ wanted, mode, kept }) => {
  const here = await world({ mode });
  here.storage.delayMs = 1_000;
  if (wanted === 'a reader')
    void here.torrent
      .read({ start: 10 * PIECE, endExclusive: 12 * PIECE })
      .getReader()
      .read();
  await here.swarm.clock.advanceAsync(10);
  const dropping = here.torrent.dropPieces(0, PIECES - 1);
  await here.swarm.clock.advanceAsync(2_000);
  await dropping;
  const held: number[] = [];
  here.torrent.have.forEachSet((piece) => void held.push(piece));
  expect(held).toEqual(kept);
});

/** Reads everything from now on; how many bytes came, and how it ended. */
function readOn(torrent: Torrent): { end?: unknown; bytes: number } {
  const seen: { end?: unknown; bytes: number } = { bytes: 0 };
  const read = async (): Promise<void> => {
    for await (const chunk of torrent.read({ start: 0, endExclusive: torrent.info?.totalBytes ?? 0 }))
      seen.bytes += chunk.length;
    seen.end = 'done';
  };
  void read().catch((error: unknown) => (seen.end = error));
  return seen;
}

test.each([
  { how: 'that fetches nothing', mode: 'seed-only' as const, isPaused: false },
  { how: 'that is paused', mode: 'all' as const, isPaused: true },
  { how: 'that is read on demand and paused', mode: 'on-demand' as const, isPaused: true },
])('of a torrent $how, a reader gets to its end, whatever is let go meanwhile', async ({ mode, isPaused }) => {
  const here = await world({ mode, pieces: isPaused ? 32 : 256, readMs: 5 }); // more than a window, or less
  if (isPaused) here.torrent.pause();
  const seen = readOn(here.torrent);
  await here.swarm.until(() => seen.bytes > 0);
  const dropping = here.torrent.dropPieces(0, 255);
  await here.swarm.until(() => seen.end !== undefined, 60_000);
  await dropping;
  expect(seen).toEqual({ end: 'done', bytes: here.source.bytes.length });
  await here.torrent.dropPieces(0, 255); // nobody reads any more
  expect(here.torrent.have.count).toBe(mode === 'all' ? 32 : 0);
});

test.each(['seed-only', 'all'] as const)('a reader of what turns out to be bad: mode %s', async (mode) => {
  const here = await world({ mode, damaged: [12], readMs: 5 });
  const seen = readOn(here.torrent);
  const checking = here.torrent.recheck();
  await here.swarm.until(() => here.lost.length > 0);
  await here.swarm.clock.advanceAsync(1_000);
  if (mode === 'seed-only') expect(seen.end).toBeInstanceOf(NotFound); // nobody will ever fetch it
  else {
    expect(seen.end).toBeUndefined();
    here.torrent.addPeers([addSeed(here).address]);
    await here.swarm.until(() => seen.end === 'done');
  }
  await here.swarm.until(() => here.events.includes('checked'));
  await checking;
});

/** One bad sector. */
class Scratched extends MemoryStorage {
  badPiece: number | undefined;
  error: Error = new StorageFailed('EIO');

  override async read(views: readonly Uint8Array[], position: number): Promise<void> {
    if (Math.floor(position / PIECE) === this.badPiece) throw this.error;
    await super.read(views, position);
  }

  override async write(bytes: Uint8Array, position: number): Promise<void> {
    if (Math.floor(position / PIECE) === this.badPiece) this.badPiece = undefined; // remapped
    await super.write(bytes, position);
  }
}

test('a piece that cannot be read for a peer is fetched anew, and the download goes on', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(PIECES * PIECE, PIECE);
  const [seed, node, other] = [swarm.addNode({ uploadBytesPerSecond: 4 * PIECE }), swarm.addNode(), swarm.addNode()];
  const storage = new Scratched(new Uint8Array(source.bytes.length));
  const have = new Bitfield(PIECES);
  for (const piece of [2, 3, 4]) {
    have.set(piece);
    storage.bytes.set(source.bytes.subarray(piece * PIECE, (piece + 1) * PIECE), piece * PIECE);
  }
  storage.badPiece = 3;
  seed.engine.add({ ...source.hashes, info: source.info, storage: new MemoryStorage(source.bytes), have: 'all' });
  const torrent = node.engine.add({ ...source.hashes, info: source.info, storage, have });
  const said: string[] = [];
  torrent.events.on('error', () => void said.push('error'));
  torrent.events.on('lost', ({ pieces }) => void said.push(`lost ${pieces.join()}`));
  let outcome: unknown;
  const done = torrent.done().then(
    () => (outcome = 'done'),
    (error: unknown) => (outcome = error),
  );
  const leech = other.engine.add({
    ...source.hashes,
    info: source.info,
    storage: new MemoryStorage(new Uint8Array(source.bytes.length)),
    have: 'none',
  });
  leech.addPeers([node.address]);
  await swarm.until(() => said.length > 0);
  torrent.addPeers([seed.address]);
  await swarm.until(() => outcome !== undefined && leech.isComplete);
  await done;
  expect([said, outcome, torrent.isComplete, equalBytes(storage.bytes, source.bytes)]).toEqual([
    ['lost 3'],
    'done',
    true,
    true,
  ]);
});

test('a seed whose disk lost a piece says so, and gives the others on', async () => {
  const here = await world({ mode: 'seed-only' });
  const storage = new Scratched(here.source.bytes);
  const node = here.swarm.addNode();
  const torrent = node.engine.add({ ...here.source.hashes, info: here.source.info, storage, have: 'all' });
  const peer = await meet({ ...here, node }, DONTHAVE);
  peer.signal('haveNone').signal('interested');
  await here.swarm.clock.advanceAsync(100);
  storage.badPiece = 3;
  for (const piece of [3, 4]) peer.request({ piece, offsetBytes: 0, lengthBytes: 16 * KIB });
  await here.swarm.until(() => heardLost(peer).length > 0);
  expect([heardLost(peer), torrent.failure, torrent.have.count]).toEqual([[3], undefined, PIECES - 1]);
  peer.request({ piece: 4, offsetBytes: 0, lengthBytes: 16 * KIB });
  await here.swarm.until(() => peer.blocks.some(({ ref }) => ref.piece === 4));
});

test('a disk that is only busy costs a peer its request, and the torrent no piece', async () => {
  const here = await world({ mode: 'seed-only' });
  const storage = new Scratched(here.source.bytes);
  storage.error = new Unavailable('too many reads');
  const node = here.swarm.addNode();
  const torrent = node.engine.add({ ...here.source.hashes, info: here.source.info, storage, have: 'all' });
  const peer = await meet({ ...here, node }, DONTHAVE);
  peer.signal('haveNone').signal('interested');
  await here.swarm.clock.advanceAsync(100);
  storage.badPiece = 3;
  peer.request({ piece: 3, offsetBytes: 0, lengthBytes: 16 * KIB });
  await here.swarm.clock.advanceAsync(1_000);
  expect([peer.blocks.length, torrent.have.count, torrent.failure]).toEqual([0, PIECES, undefined]);
  storage.badPiece = undefined;
  peer.request({ piece: 3, offsetBytes: 0, lengthBytes: 16 * KIB });
  await here.swarm.until(() => peer.blocks.length === 1);
});

test('pieces count as let go when the last read of them has ended, so that their bytes may be freed', async () => {
  const here = await world({ mode: 'seed-only' });
  here.storage.delayMs = 500;
  const peer = await meet(here, DONTHAVE);
  peer.signal('haveNone').signal('interested');
  await here.swarm.clock.advanceAsync(100);
  peer.request({ piece: 5, offsetBytes: 0, lengthBytes: 16 * KIB });
  await here.swarm.clock.advanceAsync(100);
  let isFree = false;
  const dropping = here.torrent.dropPieces(5, 5).then(() => {
    isFree = true;
    here.storage.bytes.fill(0, 5 * PIECE, 6 * PIECE);
  });
  await here.swarm.clock.advanceAsync(300);
  expect(isFree).toBe(false);
  await here.swarm.clock.advanceAsync(300);
  await dropping;
  expect(
    peer.blocks.map(({ bytes }) => equalBytes(bytes, here.source.bytes.subarray(5 * PIECE, 5 * PIECE + 16 * KIB))),
  ).toEqual([true]);
});

test('a stop in the middle of a recheck ends it and leaves nothing', async () => {
  const here = await world({ pieces: 200 });
  here.storage.delayMs = 50;
  const outcome = here.torrent.recheck().catch((error: unknown) => error);
  await here.swarm.clock.advanceAsync(120);
  let readingAtEnd: number | undefined;
  const stopping = here.node.engine.stop().then(() => (readingAtEnd = here.storage.reading));
  expect(here.storage.reading).toBeGreaterThan(0);
  await here.swarm.clock.advanceAsync(200);
  await stopping;
  expect(readingAtEnd).toBe(0);
  expect(await outcome).toMatchObject({ code: 'cancelled' });
  expect([here.storage.reading, here.node.engine.bufferBytes, here.swarm.clock.pending]).toEqual([0, 0, 0]);
  expect(here.storage.isClosed).toBe(true);
});
