/** The fast extension (BEP 6) beyond rejects: what choked peers get all the same, and what peers suggest. */
import { expect, test } from 'vitest';
import { equalBytes } from '../../src/base/bytes.ts';
import { KIB } from '../../src/base/units.ts';
import { Bitfield } from '../../src/codec/bitfield.ts';
import { encodeBitfield, encodePieceIndex } from '../../src/codec/wire-encode.ts';
import type { BlockRef } from '../../src/codec/wire.ts';
import { allowedFastSet } from '../../src/torrent/crowd/allowed-fast.ts';
import type { TorrentOptions } from '../../src/torrent/index.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import {
  keyOf,
  instantHasher,
  makeTorrent,
  MemoryStorage,
  Swarm,
  type Node,
  type TestTorrent,
} from '../support/swarm.ts';

const BLOCK = 16 * KIB;
const PIECE = 32 * KIB;
const PIECES = 400;
/** Four slots and an optimistic one. */
const SLOTS = 5;

/** A seed whose slots are all taken; pieces that are not `held` are missing there. */
async function crowded(options: Partial<TorrentOptions> = {}, held = Bitfield.full(PIECES)) {
  const swarm = new Swarm();
  const source = await makeTorrent(PIECES * PIECE, PIECE);
  const node = swarm.addNode();
  const storage = new MemoryStorage(source.bytes);
  node.engine.add({
    ...source.hashes,
    info: source.info,
    storage,
    have: held,
    mode: 'seed-only',
    uploadBytesPerSecond: 512 * KIB,
    ...options,
  });
  const holders: ScriptedPeer[] = [];
  for (let taken = 0; taken < SLOTS; taken++) {
    const { peer } = await meet(swarm, node, source);
    peer.signal('haveNone').signal('interested');
    await swarm.clock.advanceAsync(10);
    holders.push(peer);
  }
  return { swarm, source, node, holders };
}

async function meet(swarm: Swarm, node: Node, source: TestTorrent, fast = true) {
  const machine = swarm.addMachine();
  const peer = new ScriptedPeer(await machine.dial(node.address));
  peer.sayHello({ swarmKey: keyOf(source), fast });
  const seed = { host: machine.host, swarmKey: keyOf(source), pieceCount: PIECES, count: 10 };
  return { peer, set: await allowedFastSet(seed, instantHasher) };
}

function promised(peer: ScriptedPeer): number[] {
  return peer.messages.flatMap((message) => (message.type === 'allowed-fast' ? [message.piece] : []));
}

function rejected(peer: ScriptedPeer): number[] {
  return peer.messages.flatMap((message) => (message.type === 'reject' ? [message.block.piece] : []));
}

function blocksOf(piece: number): BlockRef[] {
  return [0, BLOCK].map((offsetBytes) => ({ piece, offsetBytes, lengthBytes: BLOCK }));
}

test('who has to wait for a slot hears which pieces it may have meanwhile, and gets them, but no others', async () => {
  const { swarm, source, node } = await crowded();
  const { peer, set } = await meet(swarm, node, source);
  peer.signal('haveNone').signal('interested');
  await swarm.clock.advanceAsync(100);
  expect([peer.heard('unchoke'), promised(peer)]).toEqual([0, set]);
  const [first = 0] = set;
  const other = set.includes(0) ? 1 : 0;
  peer.request(...blocksOf(first), ...blocksOf(other));
  await swarm.clock.advanceAsync(2_000);
  expect(rejected(peer)).toEqual([other, other]);
  const [one, two] = peer.blocks.map(({ bytes }) => bytes);
  const start = first * PIECE;
  expect(equalBytes(one ?? new Uint8Array(), source.bytes.subarray(start, start + BLOCK))).toBe(true);
  expect(equalBytes(two ?? new Uint8Array(), source.bytes.subarray(start + BLOCK, start + PIECE))).toBe(true);
});

test('it may ask for them twice, and not when it has ten pieces to trade with', async () => {
  const { swarm, source, node } = await crowded();
  const { peer, set } = await meet(swarm, node, source);
  peer.signal('haveNone').signal('interested');
  await swarm.clock.advanceAsync(100);
  const [first = 0, second = 0] = set;
  // All within the first round of the choker, before anybody else is unchoked.
  for (let round = 0; round < 3; round++) {
    peer.request(...blocksOf(first));
    await swarm.clock.advanceAsync(100);
  }
  expect([peer.blocks.length, rejected(peer)]).toEqual([4, [first, first]]);
  for (let piece = 0; piece < 10; piece++) peer.send(encodePieceIndex('have', piece));
  peer.request(...blocksOf(second));
  await swarm.clock.advanceAsync(100);
  expect([peer.blocks.length, rejected(peer)]).toEqual([4, [first, first, second, second]]);
});

test.each([
  { who: 'who does not speak the fast extension', fast: false, options: {} },
  { who: 'anybody, where nothing may be uploaded', fast: true, options: { uploadBytesPerSecond: 0 } },
])('nothing is promised to $who', async ({ fast, options }) => {
  const { swarm, source, node } = await crowded(options);
  const { peer } = await meet(swarm, node, source, fast);
  if (fast) peer.signal('haveNone');
  peer.signal('interested');
  await swarm.clock.advanceAsync(500);
  expect(promised(peer)).toEqual([]);
});

test('only what we have and the peer lacks is promised, and nothing to who has ten pieces', async () => {
  const held = Bitfield.full(PIECES);
  const probe = await crowded();
  const { set } = await meet(probe.swarm, probe.node, probe.source);
  const [gone = 0, theirs = 0, ...rest] = set;
  held.clear(gone);
  const { swarm, source, node } = await crowded({}, held);
  const { peer, set: sameSet } = await meet(swarm, node, source);
  const has = new Bitfield(PIECES);
  has.set(theirs);
  peer.send(encodeBitfield(has)).signal('interested');
  await swarm.clock.advanceAsync(100);
  expect(sameSet).toEqual(set);
  expect(promised(peer)).toEqual(rest);
  const rich = (await meet(swarm, node, source)).peer;
  for (let piece = 0; piece < 10; piece++) has.set(piece * 3);
  rich.send(encodeBitfield(has)).signal('interested');
  await swarm.clock.advanceAsync(100);
  expect(promised(rich)).toEqual([]);
});

test('a choke rejects what waits, but not what was promised', async () => {
  const { swarm, source, node, holders } = await crowded({ uploadBytesPerSecond: 16 * KIB });
  // Whoever did not use its slot would lose it, and there would be no need to choke.
  const wanted = Array.from({ length: 150 }, (_, piece) => blocksOf(piece)).flat();
  for (const holder of holders) holder.request(...wanted);
  const { peer, set } = await meet(swarm, node, source);
  peer.signal('haveNone').signal('interested');
  await swarm.until(() => peer.heard('unchoke') === 1);
  const [kept = 0] = set;
  const others = Array.from({ length: 200 }, (_, piece) => piece).filter((piece) => !set.includes(piece));
  peer.request(...others.flatMap(blocksOf).slice(0, 300), ...blocksOf(kept));
  await swarm.until(() => peer.heard('choke') === 1);
  await swarm.clock.advanceAsync(30_000);
  expect(rejected(peer).length).toBeGreaterThan(50);
  expect(rejected(peer)).not.toContain(kept);
  expect(peer.blocks.filter(({ ref }) => ref.piece === kept)).toHaveLength(2);
});

test.each([
  { suggested: [7], first: 7, why: 'it is taken first' },
  { suggested: [3, 7, 3], first: 7, why: 'the older of two comes first' },
  { suggested: [999_999, 20, 9], first: 9, why: 'what is no piece, or not selected, is passed over' },
])('of the suggestions $suggested piece $first is asked for first: $why', async ({ suggested, first }) => {
  const swarm = new Swarm();
  const files = [{ lengthBytes: 16 * PIECE }, { lengthBytes: 16 * PIECE }];
  const source = await makeTorrent(32 * PIECE, PIECE, { files });
  const node = swarm.addNode();
  const { hashes, info, bytes } = source;
  const storage = new MemoryStorage(new Uint8Array(bytes.length));
  node.engine.add({ ...hashes, info, storage, have: 'none', selectedFiles: [{ first: 0, last: 0 }] });
  const { peer } = await meet(swarm, node, source);
  peer.signal('haveAll');
  for (const piece of suggested) peer.send(encodePieceIndex('suggest', piece));
  peer.signal('unchoke');
  await swarm.clock.advanceAsync(100);
  expect(peer.requests[0]?.piece).toBe(first);
});

test('a flood of suggestions is remembered only in part', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(100 * PIECE, PIECE);
  const node = swarm.addNode();
  const { hashes, info, bytes } = source;
  const storage = new MemoryStorage(new Uint8Array(bytes.length));
  node.engine.add({ ...hashes, info, storage, have: 'none' });
  const { peer } = await meet(swarm, node, source);
  peer.signal('haveAll');
  for (let piece = 0; piece < 100; piece++) peer.send(encodePieceIndex('suggest', piece));
  peer.signal('unchoke');
  await swarm.clock.advanceAsync(100);
  expect(peer.requests[0]?.piece).toBe(84);
});
