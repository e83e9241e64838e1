/** Peers that ask and then stop reading do not keep the buffers others are served from; slow readers are left in peace. */
import { expect, test } from 'vitest';
import { KIB, MIB } from '../../src/base/units.ts';
import { BLOCK_BYTES } from '../../src/codec/wire.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryNetwork, type MemoryHost, type Weather } from '../support/memory-network.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { keyOf, leechOn, makeTorrent, seedOn, Swarm, type Node, type TestTorrent } from '../support/swarm.ts';

const FOR_EVER_MS = 1e9;
const PIECE_BYTES = 256 * KIB;
const PIECES = 32;

/** Links from the seed may be closed for good, or have a speed. */
class Links implements Weather {
  readonly stuck = new Set<string>();
  readonly speeds = new Map<string, number>();
  delayMs = (): number => 0;
  bytesPerSecond = (_from: string, to: string): number | undefined => this.speeds.get(to);
  blockedMs = (_from: string, to: string): number => (this.stuck.has(to) ? FOR_EVER_MS : 0);
}

class LinkedSwarm extends Swarm {
  readonly links = new Links();
  override readonly clock = new FakeClock();
  override readonly network = new MemoryNetwork(this.clock, this.links);
}

interface Asking {
  readonly peer: ScriptedPeer;
  readonly machine: MemoryHost;
}

/** A peer that keeps `ahead` requests open. */
async function asking(swarm: LinkedSwarm, seed: Node, source: TestTorrent, ahead: number): Promise<Asking> {
  const machine = swarm.addMachine();
  const peer = new ScriptedPeer(await machine.dial(seed.address));
  let asked = 0;
  const ask = (): void => {
    for (; asked < peer.blocks.length + ahead; asked++) {
      const piece = Math.floor(asked / (PIECE_BYTES / BLOCK_BYTES)) % PIECES;
      peer.request({ piece, offsetBytes: (asked * BLOCK_BYTES) % PIECE_BYTES, lengthBytes: BLOCK_BYTES });
    }
  };
  peer
    .sayHello({ swarmKey: keyOf(source) })
    .signal('haveNone')
    .signal('interested');
  await swarm.until(() => peer.heard('unchoke') > 0);
  const pump = (): void => {
    if (peer.isClosed) return;
    ask();
    peer.signal('interested');
    swarm.clock.after(250, pump);
  };
  pump();
  return { peer, machine };
}

test('readers that stopped give way to one that reads, in seconds', async () => {
  const swarm = new LinkedSwarm();
  const source = await makeTorrent(PIECES * PIECE_BYTES, PIECE_BYTES);
  const seed = swarm.addNode({}, { limits: { serveBufferBytes: 4 * MIB } });
  seedOn(seed, source);
  for (let at = 0; at < 8; at++) {
    const one = await asking(swarm, seed, source, 64);
    swarm.links.stuck.add(one.machine.host);
  }
  await swarm.clock.advanceAsync(2_000);
  expect(seed.engine.inspect().serveBufferBytes).toBeGreaterThan(3.5 * MIB);
  const reader = swarm.addNode();
  const wanted = leechOn(reader, source);
  wanted.addPeers([seed.address]);
  await swarm.until(() => wanted.isComplete, 30_000);
});

test('waves of readers that never read leave buffers to one that does', async () => {
  const swarm = new LinkedSwarm();
  const source = await makeTorrent(PIECES * PIECE_BYTES, PIECE_BYTES);
  const seed = swarm.addNode({}, { limits: { serveBufferBytes: 4 * MIB } });
  seedOn(seed, source);
  for (let wave = 0; wave < 4; wave++) {
    for (let at = 0; at < 8; at++) {
      const { machine } = await asking(swarm, seed, source, 200);
      swarm.links.stuck.add(machine.host);
    }
    await swarm.clock.advanceAsync(5_000);
  }
  const wanted = leechOn(swarm.addNode(), source);
  wanted.addPeers([seed.address]);
  await swarm.until(() => wanted.isComplete, 15_000);
});

test('a reader that stopped is left after two minutes, and its buffers with it', async () => {
  const swarm = new LinkedSwarm();
  const source = await makeTorrent(PIECES * PIECE_BYTES, PIECE_BYTES);
  const seed = swarm.addNode();
  seedOn(seed, source);
  const { machine } = await asking(swarm, seed, source, 64);
  swarm.links.stuck.add(machine.host);
  await swarm.clock.advanceAsync(110_000);
  expect(seed.engine.connectionCount).toBe(1);
  expect(seed.engine.bufferBytes).toBeGreaterThan(0);
  await swarm.clock.advanceAsync(15_000);
  expect(seed.engine.connectionCount).toBe(0);
  expect(seed.engine.bufferBytes).toBe(0);
});

test.each([
  ['slow from the start', 20 * KIB],
  ['fast at first, with large buffers, then slow', 4 * MIB],
])('a reader of 20 KiB/s is kept: %s', async (_case, firstBytesPerSecond) => {
  const swarm = new LinkedSwarm();
  const source = await makeTorrent(PIECES * PIECE_BYTES, PIECE_BYTES);
  const seed = swarm.addNode();
  seedOn(seed, source);
  const { peer, machine } = await asking(swarm, seed, source, 256);
  swarm.links.speeds.set(machine.host, firstBytesPerSecond);
  await swarm.clock.advanceAsync(5_075); // a buffer of 1 MiB has just begun to leave
  swarm.links.speeds.set(machine.host, 20 * KIB);
  const had = peer.blocks.length;
  await swarm.clock.advanceAsync(300_000);
  expect(peer.isClosed).toBe(false);
  expect((peer.blocks.length - had) * BLOCK_BYTES).toBeGreaterThan(300 * 16 * KIB);
});
