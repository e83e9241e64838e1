import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { makeTorrent, MemoryStorage } from '../../../test/support/swarm.ts';
import { StorageFailed } from '../../base/errors.ts';
import { KIB } from '../../base/units.ts';
import { SwarmNode, type SwarmNodeOptions } from './index.ts';

async function isAccepting(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  const [event] = await Promise.race([
    once(socket, 'connect').then(() => [true] as const),
    once(socket, 'error').then(() => [false] as const),
  ]).catch(() => [false] as const);
  socket.destroy();
  return event;
}

describe('a node that is stopped', () => {
  test('has closed everything, even where a disk could not be closed in good order', async () => {
    const node = await SwarmNode.open({ host: '127.0.0.1', utp: false });
    const { port } = node.address;
    const error = new StorageFailed('EIO');
    const [broken, sound] = await Promise.all(
      ['broken', 'sound'].map(async (seed) => {
        const source = await makeTorrent(64 * KIB, 16 * KIB, { seed });
        const storage = new MemoryStorage(source.bytes);
        if (seed === 'broken') storage.close = () => Promise.reject(error);
        node.engine.add({ ...source.hashes, info: source.info, storage, have: 'all' });
        return storage;
      }),
    );
    expect(await isAccepting(port)).toBe(true);
    const stopped = node.stop();
    await expect(stopped).rejects.toBe(error);
    expect(await isAccepting(port)).toBe(false);
    expect([broken?.isClosed, sound?.isClosed]).toEqual([false, true]);
    expect(node.engine.torrents).toEqual([]);
    expect(node.stop()).toBe(stopped);
  });

  test.each<[string, SwarmNodeOptions]>([
    ['nothing', {}],
    ['the search in the local network', { lsd: true }],
    ['the DHT', { dht: { port: 0, bootstrap: [] } }],
  ])('with %s on may be stopped once more', async (_what, options) => {
    const node = await SwarmNode.open({ host: '127.0.0.1', ...options });
    await node.stop();
    await expect(node.stop()).resolves.toBeUndefined();
  });
});
