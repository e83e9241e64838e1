/** One engine, many torrents, few upload slots: the cap holds at every moment, and no torrent is left out. */
import { expect, test } from 'vitest';
import { KIB } from '../../src/base/units.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { makeTorrent, MemoryStorage, Swarm } from '../support/swarm.ts';

const MAX_SLOTS = 4;

test('peers of all torrents share the upload slots of the engine, and each torrent gets its turn', async () => {
  const swarm = new Swarm();
  const seed = swarm.addNode({}, { limits: { maxUploadSlots: MAX_SLOTS } });
  const unchokes = new Map<string, number>();
  const peers: ScriptedPeer[] = [];
  for (const name of ['first', 'second', 'third']) {
    const { hashes, info, bytes } = await makeTorrent(64 * KIB, 32 * KIB, { seed: name });
    const { keys } = seed.engine.add({ ...hashes, info, storage: new MemoryStorage(bytes), have: 'all' });
    const [swarmKey] = keys;
    if (swarmKey === undefined) throw new Error('a torrent has a key');
    for (let at = 0; at < 5; at++) {
      const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
      peer.onMessage = (message) => {
        if (message.type === 'unchoke') unchokes.set(name, (unchokes.get(name) ?? 0) + 1);
      };
      peers.push(peer.sayHello({ swarmKey }).signal('haveNone').signal('interested'));
    }
  }
  const unchoked = (): number =>
    seed.engine.inspect().torrents.reduce((sum, torrent) => sum + torrent.peers.filter((p) => !p.amChoking).length, 0);
  let most = 0;
  for (let step = 0; step < 600; step++) {
    await swarm.clock.advanceAsync(step < 300 ? 10 : 200); // they come in the first moments
    most = Math.max(most, unchoked());
  }
  expect(most).toBe(MAX_SLOTS);
  expect(unchoked()).toBe(MAX_SLOTS);
  expect([...unchokes.keys()].toSorted()).toEqual(['first', 'second', 'third']);

  for (const peer of peers.slice(0, 10)) peer.socket.close();
  await swarm.clock.advanceAsync(20_000);
  expect(unchoked()).toBe(MAX_SLOTS); // the third torrent alone has them all
});
