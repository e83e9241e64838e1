/** What an engine had begun when it is stopped: `stop()` resolves when none of it runs any more. */
import { expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import type { Hasher } from '../../src/torrent/ports.ts';
import { intrude, PIECE } from '../support/strangers.ts';
import { instantHasher, makeTorrent, MemoryStorage, seedOn, Swarm } from '../support/swarm.ts';

/** Work that begins and does not end before the test says so. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const work = { begun: 0, done: 0 };
  const pass = async (): Promise<void> => {
    work.begun++;
    await promise;
    work.done++;
  };
  return { work, pass, open: () => resolve(undefined) };
}

test('stop waits for the hash that tells a choked peer which pieces it may have', async () => {
  const swarm = new Swarm();
  const { work, pass, open } = gate();
  const hasher: Hasher = { ...instantHasher, sha1: (bytes) => pass().then(() => instantHasher.sha1(bytes)) };
  const ports = { clock: swarm.clock, hasher, log: silentLog, random: () => 0.5, dialers: [] };
  const node = swarm.addNode({}, { ports, limits: { maxUploadSlots: 1 } });
  const source = await makeTorrent(MIB, PIECE);
  seedOn(node, source, { mode: 'seed-only', uploadBytesPerSecond: 512 * KIB });
  for (let peers = 0; peers < 6 && work.begun === 0; peers++) {
    (await intrude(swarm, node, source, { fast: true })).signal('haveNone').signal('interested');
    await swarm.clock.advanceAsync(10);
  }
  expect(work).toEqual({ begun: 1, done: 0 });
  const stopped = node.engine.stop().then(() => ({ ...work }));
  await swarm.clock.advanceAsync(1_000);
  open();
  const { begun, done } = await stopped;
  expect(done).toBe(begun);
});

test('stop waits for the storage that is being opened for metadata from peers, and closes it', async () => {
  const swarm = new Swarm();
  const { work, pass, open } = gate();
  const source = await makeTorrent(MIB, PIECE);
  const seed = swarm.addNode({ latencyMs: 1 });
  seedOn(seed, source);
  const leech = swarm.addNode({ latencyMs: 1 });
  const storage = new MemoryStorage(new Uint8Array(MIB));
  const torrent = leech.engine.addByHash({
    ...source.hashes,
    openStorage: () => pass().then(() => ({ storage, have: 'none' })),
  });
  torrent.addPeers([seed.address]);
  await swarm.until(() => work.begun > 0);
  const stopped = torrent.stop().then(() => storage.isClosed);
  await swarm.clock.advanceAsync(1_000);
  open();
  expect(await stopped).toBe(true);
});
