/** Tit for tat among real connections: who is served while we leech and while we seed, and which pieces come first. */
import { expect, test } from 'vitest';
import { KIB, SECOND_MS } from '../../src/base/units.ts';
import { Bitfield } from '../../src/codec/bitfield.ts';
import { encodeBitfield } from '../../src/codec/wire-encode.ts';
import type { OpenedStorage } from '../../src/torrent/index.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { keyOf, makeTorrent, MemoryStorage, Swarm, type Node, type TestTorrent } from '../support/swarm.ts';

const PIECE = 32 * KIB;
const PIECES = 512;
const ROUND_MS = 10 * SECOND_MS;

async function world(have: OpenedStorage['have'], uploadBytesPerSecond: number) {
  const swarm = new Swarm(3);
  const source = await makeTorrent(PIECES * PIECE, PIECE);
  const node = swarm.addNode();
  const { hashes, info, bytes } = source;
  const storage = new MemoryStorage(have === 'all' ? bytes : new Uint8Array(bytes.length));
  const torrent = node.engine.add({ ...hashes, info, storage, have, uploadBytesPerSecond });
  return { swarm, source, node, torrent };
}

async function meet(
  swarm: Swarm,
  node: Node,
  source: TestTorrent,
  uploadBytesPerSecond?: number,
): Promise<ScriptedPeer> {
  const machine = swarm.addMachine(uploadBytesPerSecond === undefined ? {} : { uploadBytesPerSecond });
  const peer = new ScriptedPeer(await machine.dial(node.address));
  return peer.sayHello({ swarmKey: keyOf(source) });
}

function isUnchoked(peer: ScriptedPeer): boolean {
  return peer.heard('unchoke') > peer.heard('choke');
}

function indices(peers: readonly ScriptedPeer[], choose: (peer: ScriptedPeer) => boolean): number[] {
  return peers.flatMap((peer, at) => (choose(peer) ? [at] : []));
}

test('while leeching the four who give most are served, and one more in turn, who changes every 30 s', async () => {
  const { swarm, source, node } = await world('none', 64 * KIB);
  // The first give nothing, so that places taken at first sight are lost to those who do.
  const rates = [0, 0, 0, 0, 0, 0, 12, 16, 20, 24];
  const peers: ScriptedPeer[] = [];
  for (const rate of rates) {
    const peer = await meet(swarm, node, source, Math.max(1, rate) * KIB);
    peer.signal(rate > 0 ? 'haveAll' : 'haveNone').signal('interested');
    if (rate > 0) peer.signal('unchoke').serve(source.bytes, PIECE);
    peers.push(peer);
  }
  await swarm.clock.advanceAsync(3 * ROUND_MS);
  const optimists: (number | undefined)[] = [];
  for (let look = 0; look < 30; look++) {
    await swarm.clock.advanceAsync(5 * SECOND_MS);
    const served = indices(peers, isUnchoked);
    expect(served).toEqual(expect.arrayContaining([6, 7, 8, 9]));
    expect(served).toHaveLength(5);
    optimists.push(served[0]);
  }
  const changes = optimists.flatMap((optimist, look) => (look > 0 && optimist !== optimists[look - 1] ? [look] : []));
  expect(changes.length).toBeGreaterThanOrEqual(4);
  for (const [at, look] of changes.slice(1).entries()) expect(look - (changes[at] ?? 0)).toBe(6);
});

test('while seeding everybody gets a turn, and nobody is choked within a round of being unchoked', async () => {
  const { swarm, source, node } = await world('all', 64 * KIB);
  const peers: ScriptedPeer[] = [];
  for (let at = 0; at < 12; at++) peers.push((await meet(swarm, node, source)).signal('haveNone').signal('interested'));
  const served = new Set<number>();
  for (let minute = 0; minute < 4; minute++)
    for (let look = 0; look < 6; look++) {
      await swarm.clock.advanceAsync(ROUND_MS);
      const now = indices(peers, isUnchoked);
      expect(now.length).toBeLessThanOrEqual(5);
      for (const at of now) served.add(at);
    }
  expect(served.size).toBe(peers.length);
});

test('who joins helps to finish pieces that are begun before new ones are begun', async () => {
  const { swarm, source, node } = await world('none', 0);
  const first = await meet(swarm, node, source);
  first.signal('haveAll').signal('unchoke');
  await swarm.clock.advanceAsync(100);
  const given = first.requests.at(-1);
  if (given === undefined) throw new Error('something is asked for');
  first.reject(given);
  await swarm.clock.advanceAsync(10);
  const second = await meet(swarm, node, source);
  second.signal('haveAll').signal('unchoke');
  await swarm.clock.advanceAsync(100);
  expect(second.requests[0]).toEqual(given);
  const begun = new Set(first.requests.map(({ piece }) => piece));
  expect(second.requests.slice(1).some(({ piece }) => begun.has(piece))).toBe(false);
});

test('of what a peer has the rarest piece in the swarm is asked for first', async () => {
  const { swarm, source, node } = await world('none', 0);
  const common = Bitfield.full(PIECES);
  for (const rare of [77, 300]) common.clear(rare);
  for (let at = 0; at < 3; at++) (await meet(swarm, node, source)).send(encodeBitfield(common));
  await swarm.clock.advanceAsync(100);
  const rich = await meet(swarm, node, source);
  const nearlyAll = Bitfield.full(PIECES);
  nearlyAll.clear(0);
  rich.send(encodeBitfield(nearlyAll)).signal('unchoke');
  await swarm.clock.advanceAsync(100);
  const order = [...new Set(rich.requests.map(({ piece }) => piece))];
  expect(order.slice(0, 2).toSorted((a, b) => a - b)).toEqual([77, 300]);
});
