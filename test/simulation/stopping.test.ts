/** What an engine had begun when it is stopped: `stop()` resolves when none of it runs any more. */
import { expect, test } from 'vitest';
import { Cancelled, SeveralFailed, StorageFailed } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import type { Dialer, Hasher, PeerSocket, TransportKind } from '../../src/torrent/ports.ts';
import { intrude, PIECE } from '../support/strangers.ts';
import { instantHasher, keyOf, leechOn, makeTorrent, MemoryStorage, seedOn, Swarm } from '../support/swarm.ts';

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

/** On a disk that fails when everything is over. */
class Unclosable extends MemoryStorage {
  readonly error = new StorageFailed('cannot be closed');

  override close(): Promise<void> {
    return Promise.reject(this.error);
  }
}

test('a torrent whose storage cannot be closed says so, and is over all the same', async () => {
  const swarm = new Swarm();
  const [node, other] = [swarm.addNode(), swarm.addNode()];
  const source = await makeTorrent(MIB, PIECE);
  const storage = new Unclosable(source.bytes);
  const torrent = node.engine.add({ ...source.hashes, info: source.info, storage, have: 'all' });
  const leech = leechOn(other, source, { mode: 'on-demand' });
  leech.addPeers([node.address]);
  await swarm.until(() => torrent.peerCount > 0);
  let ends = 0;
  torrent.events.on('stopped', () => ends++);
  const stopped = torrent.stop();
  expect(torrent.stop()).toBe(stopped);
  await expect(stopped).rejects.toBe(storage.error);
  await expect(torrent.stop()).rejects.toBe(storage.error);
  expect([ends, node.engine.get(keyOf(source)), node.engine.connectionCount]).toEqual([1, undefined, 0]);
  seedOn(node, source); // it is not running any more
});

test('an engine closes every torrent, whatever becomes of the others', async () => {
  const swarm = new Swarm();
  const { engine } = swarm.addNode();
  const sources = await Promise.all(['a', 'b', 'c'].map((seed) => makeTorrent(MIB, PIECE, { seed })));
  const storages = sources.map(({ bytes }, at) => (at === 1 ? new MemoryStorage(bytes) : new Unclosable(bytes)));
  for (const [at, { hashes, info }] of sources.entries())
    engine.add({ ...hashes, info, storage: storages[at] ?? new MemoryStorage(new Uint8Array()), have: 'all' });
  const stopped = engine.stop();
  expect(engine.stop()).toBe(stopped);
  await expect(stopped).rejects.toBeInstanceOf(SeveralFailed);
  await expect(stopped).rejects.toMatchObject({
    errors: [storages[0], storages[2]].map((bad) => bad && 'error' in bad && bad.error),
  });
  expect([engine.torrents, engine.bufferBytes, storages[1]?.isClosed]).toEqual([[], 0, true]);
});

/** Never gets through; tells how often it was tried, and how often given up. */
function deafDialer(transport: TransportKind) {
  const tried = { dials: 0, given: 0 };
  const dialer: Dialer = {
    transport,
    dial: (_, signal) => {
      tried.dials++;
      return new Promise<PeerSocket>((_resolve, reject) =>
        signal.addEventListener('abort', () => {
          tried.given++;
          reject(new Cancelled('given up'));
        }),
      );
    },
  };
  return { tried, dialer };
}

test.each(['torrent', 'engine'] as const)(
  'once the %s is stopped, its dials are over and none begins',
  async (which) => {
    const swarm = new Swarm();
    const source = await makeTorrent(MIB, PIECE);
    const [tcp, utp] = [deafDialer('tcp'), deafDialer('utp')];
    const { engine } = swarm.addNode({}, {}, [tcp.dialer, utp.dialer]);
    const torrent = leechOn({ ...swarm.addNode(), engine }, source);
    torrent.addPeers([{ host: '10.0.0.9', port: 1 }]);
    await swarm.until(() => tcp.tried.dials === 1);
    await (which === 'torrent' ? torrent : engine).stop();
    expect(engine.inspect().dialling).toBe(0);
    expect([tcp.tried, utp.tried]).toEqual([
      { dials: 1, given: 1 },
      { dials: 0, given: 0 },
    ]);
  },
);

test('where a dial hangs, the next transport is tried after ten seconds', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const [tcp, utp] = [deafDialer('tcp'), deafDialer('utp')];
  const { engine } = swarm.addNode({}, {}, [tcp.dialer, utp.dialer]);
  leechOn({ ...swarm.addNode(), engine }, source).addPeers([{ host: '10.0.0.9', port: 1 }]);
  expect(await swarm.until(() => utp.tried.dials === 1)).toBeGreaterThanOrEqual(10_000);
  expect(tcp.tried).toEqual({ dials: 1, given: 1 });
});

test('a stopped torrent keeps no connection that has not made its handshake', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const node = swarm.addNode();
  const silent = swarm.addMachine();
  let closed = 0;
  silent.listen(1, (socket) => socket.listen({ received: () => {}, drained: () => {}, closed: () => closed++ }));
  const torrent = leechOn(node, source);
  torrent.addPeers([{ host: silent.host, port: 1 }]);
  await swarm.until(() => node.engine.connectionCount === 1);
  await torrent.stop();
  expect(node.engine.connectionCount).toBe(0);
  await swarm.until(() => closed === 1, 1_000);
});
