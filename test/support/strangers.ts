/** Scripted peers around one engine: they come, or wait to be dialled, and behave as a test says. */
import { KIB, MIB } from '../../src/base/units.ts';
import type { Torrent } from '../../src/torrent/index.ts';
import { ScriptedPeer, type ScriptedOptions } from './scripted-peer.ts';
import { keyOf, makeTorrent, MemoryStorage, PEER_PORT, Swarm, type Node, type TestTorrent } from './swarm.ts';

export const PIECE = 64 * KIB;

/** A scripted peer that dials the node and greets it. */
export async function intrude(swarm: Swarm, node: Node, source: TestTorrent, options: Partial<ScriptedOptions> = {}) {
  const machine = swarm.addMachine();
  const peer = new ScriptedPeer(await machine.dial(node.address));
  peer.sayHello({ swarmKey: keyOf(source), ...options });
  await swarm.clock.advanceAsync(50);
  return peer;
}

/** A scripted peer that waits to be dialled, greets back and then does as `behave` says. */
export function lurk(swarm: Swarm, source: TestTorrent, behave: (peer: ScriptedPeer) => void) {
  const machine = swarm.addMachine({ latencyMs: 1 });
  const peers: ScriptedPeer[] = [];
  machine.listen(PEER_PORT, (socket) => {
    const peer = new ScriptedPeer(socket);
    peers.push(peer);
    peer.sayHello({ swarmKey: keyOf(source), extensions: true });
    behave(peer);
  });
  return { machine, address: { host: machine.host, port: PEER_PORT }, peers };
}

/** A seed of 1 MiB in 64 KiB pieces. */
export async function seeded(): Promise<{ swarm: Swarm; source: TestTorrent; seed: Node; torrent: Torrent }> {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const seed = swarm.addNode({ latencyMs: 1 });
  const storage = new MemoryStorage(source.bytes);
  const torrent = seed.engine.add({ ...source.hashes, info: source.info, storage, have: 'all' });
  return { swarm, source, seed, torrent };
}

/** A leecher that has nothing of such a torrent yet. */
export async function leeching(): Promise<{
  swarm: Swarm;
  source: TestTorrent;
  leech: Node;
  torrent: Torrent;
  storage: MemoryStorage;
}> {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const leech = swarm.addNode({ latencyMs: 1 });
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  const torrent = leech.engine.add({ ...source.hashes, info: source.info, storage, have: 'none' });
  return { swarm, source, leech, torrent, storage };
}
