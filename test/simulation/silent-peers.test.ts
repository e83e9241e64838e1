/** Peers that claim everything, unchoke and send nothing do not hold up a download that one honest seed could finish. */
import { expect, test } from 'vitest';
import { MIB } from '../../src/base/units.ts';
import { encodeSignal } from '../../src/codec/wire-encode.ts';
import type { Torrent, TorrentMode } from '../../src/torrent/index.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { keyOf, leechOn, makeTorrent, seedOn, Swarm } from '../support/swarm.ts';

const RATE = 4_000_000;

interface Scene {
  readonly swarm: Swarm;
  readonly torrent: Torrent;
}

async function openScene(silentPeers: number, mode: TorrentMode): Promise<Scene> {
  const swarm = new Swarm();
  const source = await makeTorrent(24 * MIB, MIB);
  const leech = swarm.addNode({ latencyMs: 1 });
  const torrent = leechOn(leech, source, { mode });
  for (let at = 0; at < silentPeers; at++)
    new ScriptedPeer(await swarm.addMachine().dial(leech.address))
      .sayHello({ swarmKey: keyOf(source) })
      .send(encodeSignal('haveAll'))
      .signal('unchoke');
  // Its own limit makes it serve in bursts, so that it is late by its own measure now and then.
  const seed = swarm.addNode({ latencyMs: 1 });
  seedOn(seed, source, { uploadBytesPerSecond: RATE });
  torrent.addPeers([seed.address]);
  return { swarm, torrent };
}

async function downloadMs(silentPeers: number): Promise<number> {
  const { swarm, torrent } = await openScene(silentPeers, 'all');
  return swarm.until(() => torrent.isDone, 60_000);
}

/** When a reader has its first and its last byte. */
async function readMs(silentPeers: number): Promise<{ readonly firstMs: number; readonly allMs: number }> {
  const { swarm, torrent } = await openScene(silentPeers, 'on-demand');
  let [bytes, firstMs] = [0, 0];
  const sink = new WritableStream<Uint8Array>({
    write(chunk) {
      bytes += chunk.length;
      firstMs ||= swarm.clock.monotonicMs();
    },
  });
  const reading = torrent.read({ start: 0, endExclusive: 8 * MIB }).pipeTo(sink);
  const allMs = await swarm.until(() => bytes === 8 * MIB, 60_000);
  await reading;
  return { firstMs, allMs };
}

test.each([6, 15, 30])('a download beside %i of them', async (silentPeers) => {
  expect(await downloadMs(silentPeers)).toBeLessThan(1.2 * (await downloadMs(0)) + 1_000);
});

test.each([6, 30])('a reader beside %i of them', async (silentPeers) => {
  const [alone, beside] = [await readMs(0), await readMs(silentPeers)];
  expect(beside.firstMs).toBeLessThan(alone.firstMs + 1_000);
  expect(beside.allMs).toBeLessThan(1.2 * alone.allMs + 1_000);
});
