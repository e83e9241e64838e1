/** Peers that claim everything, unchoke and send nothing do not hold up a download that one honest seed could finish. */
import { expect, test } from 'vitest';
import { MIB } from '../../src/base/units.ts';
import { encodeSignal } from '../../src/codec/wire-encode.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { keyOf, leechOn, makeTorrent, seedOn, Swarm } from '../support/swarm.ts';

const RATE = 4_000_000;

/** How long a download takes beside them; what readers feel is in `reading-beside-slow-peers.test.ts`. */
async function downloadMs(silentPeers: number): Promise<number> {
  const swarm = new Swarm();
  const source = await makeTorrent(24 * MIB, MIB);
  const leech = swarm.addNode({ latencyMs: 1 });
  const torrent = leechOn(leech, source);
  for (let at = 0; at < silentPeers; at++)
    new ScriptedPeer(await swarm.addMachine().dial(leech.address))
      .sayHello({ swarmKey: keyOf(source) })
      .send(encodeSignal('haveAll'))
      .signal('unchoke');
  // Its own limit makes it serve in bursts, so that it is late by its own measure now and then.
  const seed = swarm.addNode({ latencyMs: 1 });
  seedOn(seed, source, { uploadBytesPerSecond: RATE });
  torrent.addPeers([seed.address]);
  return swarm.until(() => torrent.isDone, 60_000);
}

test.each([6, 15, 30])('a download beside %i of them', async (silentPeers) => {
  expect(await downloadMs(silentPeers)).toBeLessThan(1.2 * (await downloadMs(0)) + 1_000);
});
