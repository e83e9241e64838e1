/** Transmission 3.00 overlooks, over uTP, what came in one packet with our handshake until another packet comes. */
import { expect, test } from 'vitest';
import { swarmKeyOf } from '../../src/base/ids.ts';
import { KIB } from '../../src/base/units.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { makeTorrent, MemoryStorage, Swarm } from '../support/swarm.ts';

test.each([
  { transport: 'utp', nudges: 1 },
  { transport: 'tcp', nudges: 0 },
] as const)('a peer that dialled us by $transport gets $nudges keep-alive once it has our handshake', async (given) => {
  const swarm = new Swarm();
  const { hashes, info, bytes } = await makeTorrent(256 * KIB, 64 * KIB);
  const seeder = swarm.addNode({ transport: given.transport });
  seeder.engine.add({ ...hashes, info, storage: new MemoryStorage(bytes), have: 'all' });
  if (hashes.v1 === undefined) throw new Error('a v1 torrent');
  const machine = swarm.addMachine({ transport: given.transport });
  const peer = new ScriptedPeer(await machine.dial(seeder.address)).sayHello({ swarmKey: swarmKeyOf(hashes.v1) });
  await swarm.clock.advanceAsync(1_900);
  expect(peer.heard('have-all')).toBe(1);
  expect(peer.heard('keep-alive')).toBe(0);
  await swarm.clock.advanceAsync(20_000);
  expect(peer.heard('keep-alive')).toBe(given.nudges);
});
