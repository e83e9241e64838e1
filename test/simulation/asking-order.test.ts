/** Who is asked, and how many for one block: of what is scarce nothing goes to those that deliver nothing. */
import { expect, test } from 'vitest';
import { KIB } from '../../src/base/units.ts';
import { BLOCK_BYTES, type BlockRef } from '../../src/codec/wire.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { keyOf, leechOn, makeTorrent, type Node, seedOn, Swarm, type TestTorrent } from '../support/swarm.ts';

const PIECE = 64 * KIB;

/** A peer with everything that unchokes us. */
async function seedlike(swarm: Swarm, leech: Node, source: TestTorrent): Promise<ScriptedPeer> {
  const peer = new ScriptedPeer(await swarm.addMachine({ latencyMs: 1 }).dial(leech.address));
  return peer
    .sayHello({ swarmKey: keyOf(source) })
    .signal('haveAll')
    .signal('unchoke');
}

test('where a limit allows a block now and then, it goes to one that delivers, though those that never did look nearer', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(128 * PIECE, PIECE);
  const leech = swarm.addNode({ latencyMs: 5 });
  const torrent = leechOn(leech, source, { downloadBytesPerSecond: BLOCK_BYTES });
  const silent = await Promise.all([1, 2, 3].map(() => seedlike(swarm, leech, source)));
  await swarm.clock.advanceAsync(40_000);
  const seed = swarm.addNode({ latencyMs: 300 });
  seedOn(seed, source);
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.stats().bytesFromPeers >= 4 * BLOCK_BYTES, 60_000);
  const asked = (): number => silent.reduce((sum, { requests }) => sum + requests.length, 0);
  const before = { asked: asked(), bytes: torrent.stats().bytesFromPeers };
  await swarm.clock.advanceAsync(60_000);
  expect(asked()).toBe(before.asked);
  expect(torrent.stats().bytesFromPeers - before.bytes).toBeGreaterThan(0.9 * 60 * BLOCK_BYTES);
});

test('the very last block is asked of three peers at a time, however many have nothing else to do', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(8 * PIECE, PIECE);
  const leech = swarm.addNode({ latencyMs: 5 });
  const torrent = leechOn(leech, source);
  const isLast = ({ piece, offsetBytes }: BlockRef): boolean => piece === 7 && offsetBytes === PIECE - BLOCK_BYTES;
  const peers = await Promise.all(Array.from({ length: 12 }, () => seedlike(swarm, leech, source)));
  const owing = new Set<ScriptedPeer>();
  let most = 0;
  for (const peer of peers) {
    peer.serve(source.bytes, PIECE);
    const serve = peer.onRequest;
    peer.onRequest = (request) => {
      if (!isLast(request)) return serve(request);
      owing.add(peer);
      most = Math.max(most, owing.size);
    };
    peer.onMessage = (message) => {
      if (message.type === 'cancel' && isLast(message.block)) owing.delete(peer);
    };
  }
  await swarm.until(() => torrent.have.count === 7);
  await swarm.clock.advanceAsync(5_000);
  expect(most).toBe(3);
});
