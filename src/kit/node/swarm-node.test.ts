import { once } from 'node:events';
import net from 'node:net';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { makeTorrent, MemoryStorage } from '../../../test/support/swarm.ts';
import { testFolder } from '../../../test/support/temp-dir.ts';
import { StorageFailed } from '../../base/errors.ts';
import { KIB } from '../../base/units.ts';
import { DEFAULT_LIMITS, type Torrent } from '../../torrent/index.ts';
import {
  addTorrent,
  addWebSeeds,
  hashFile,
  hashPath,
  openFiles,
  seedFile,
  SwarmNode,
  type SwarmNodeOptions,
} from './index.ts';

async function isAccepting(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  const [event] = await Promise.race([
    once(socket, 'connect').then(() => [true] as const),
    once(socket, 'error').then(() => [false] as const),
  ]).catch(() => [false] as const);
  socket.destroy();
  return event;
}

/** Seeds the file, and calls this. */
async function seeding(node: SwarmNode, file: string, call: (torrent: Torrent) => unknown): Promise<unknown> {
  const { torrent } = await seedFile(node, await hashFile(file));
  return call(torrent);
}

describe('a node', () => {
  test('takes caps for its engine', async () => {
    const node = await SwarmNode.open({ host: '127.0.0.1', utp: false, limits: { maxConnections: 7 } });
    onTestFinished(() => node.stop());
    expect(node.engine.inspect().limits).toMatchObject({ maxConnections: 7, maxHalfOpen: DEFAULT_LIMITS.maxHalfOpen });
  });

  test.each<{ options: object; words: RegExp }>([
    { options: { downloadLimit: 5 }, words: /SwarmNode\.open.*'downloadLimit'.*limits/ },
    { options: { limits: { maxConns: 5 } }, words: /limits.*'maxConns', use maxConnections/ },
    { options: { limits: { maxConnections: -1 } }, words: /limits\.maxConnections/ },
    { options: { dht: { port: 0, bootstrap: [], nodes: [] } }, words: /dht.*'nodes'.*bootstrap/ },
  ])('is not opened with $options', async ({ options, words }) => {
    await expect(SwarmNode.open({ host: '127.0.0.1', ...options })).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringMatching(words),
    });
  });

  test.each<{ tiers: unknown }>([
    { tiers: 'udp://tracker.example:1' },
    { tiers: ['http://127.0.0.1:1/announce'] },
    { tiers: [[5]] },
  ])('announces at lists of lists of URLs, and not at $tiers', async ({ tiers }) => {
    const node = await SwarmNode.open({ host: '127.0.0.1', utp: false });
    onTestFinished(() => node.stop());
    const { hashes, info, bytes } = await makeTorrent(64 * KIB, 16 * KIB);
    const torrent = node.engine.add({ ...hashes, info, storage: new MemoryStorage(bytes), have: 'all' });
    expect(() => node.announce(torrent, tiers as never)).toThrow(/tiers is an array of arrays of URLs/);
  });

  test.each<{ options: object; words: RegExp }>([
    { options: { peers: ['127.0.0.1:6881'] }, words: /peers is an array of \{ host, port \}/ },
    { options: { path: '/tmp' }, words: /addTorrent has no option 'path'.*folder/ },
    { options: { folder: '' }, words: /folder/ },
  ])('leaves no torrent running that could not be added: $options', async ({ options, words }) => {
    const node = await SwarmNode.open({ host: '127.0.0.1', utp: false });
    onTestFinished(() => node.stop());
    const folder = await testFolder('not-added');
    const adding = addTorrent(node, `magnet:?xt=urn:btih:${'ab'.repeat(20)}`, { folder, ...options });
    await expect(adding).rejects.toMatchObject({ code: 'invalid_input', message: expect.stringMatching(words) });
    expect(node.engine.torrents).toEqual([]);
  });

  test.each<{ what: string; call: (node: SwarmNode, file: string) => unknown; words: string[] }>([
    {
      what: 'hashFile',
      call: (_, file) => hashFile(file, { onProgress: () => 0 } as never),
      words: ["'onProgress'", 'hashed'],
    },
    { what: 'hashFile', call: (_, file) => hashFile(file, { signal: 5 } as never), words: ['signal', '5'] },
    {
      what: 'hashPath',
      call: (_, file) => hashPath(file, { format: 'v1', piece: 5 } as never),
      words: ['use pieceLengthBytes'],
    },
    {
      what: 'openFiles',
      call: async (_, file) => openFiles((await hashFile(file)).info, `${file}.d`, { logger: 1 } as never),
      words: ['use log'],
    },
    {
      what: 'seedFile',
      call: async (node, file) => seedFile(node, await hashFile(file), 'udp://a:1' as never),
      words: ['trackers', 'an array of texts'],
    },
    {
      what: 'addWebSeeds',
      call: (node, file) => seeding(node, file, (torrent) => addWebSeeds(node, torrent, 'http://a/' as never)),
      words: ['urls', 'an array of texts'],
    },
    {
      what: 'addWebSeeds',
      call: (node, file) =>
        seeding(node, file, (torrent) => addWebSeeds(node, torrent, [], { src: 'judged' } as never)),
      words: ["'src'", 'source'],
    },
    {
      what: 'ready',
      call: (node, file) => seeding(node, file, (torrent) => torrent.ready({ timeoutMs: 5 } as never)),
      words: ['signal'],
    },
  ])('refuses what $what cannot use: $words', async ({ call, words }) => {
    const node = await SwarmNode.open({ host: '127.0.0.1', utp: false });
    onTestFinished(() => node.stop());
    const file = path.join(await testFolder('refused'), 'film');
    await writeFile(file, new Uint8Array(64 * KIB).fill(7));
    const error = await Promise.resolve(call(node, file)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'invalid_input' });
    for (const word of words) expect(String(error)).toContain(word);
  });

  test('stops a torrent that was added and could not be announced: nobody has it in hand', async () => {
    const node = await SwarmNode.open({ host: '127.0.0.1', utp: false });
    onTestFinished(() => node.stop());
    const announce = vi.spyOn(node, 'announce').mockImplementation(() => {
      throw new StorageFailed('out of descriptors');
    });
    const folder = await testFolder('not-added');
    const file = path.join(folder, 'film');
    await writeFile(file, new Uint8Array(64 * KIB).fill(7));
    await expect(addTorrent(node, `magnet:?xt=urn:btih:${'ab'.repeat(20)}`, { folder })).rejects.toThrow('descriptors');
    await expect(seedFile(node, await hashFile(file), ['http://127.0.0.1:1/announce'])).rejects.toThrow('descriptors');
    expect([announce.mock.calls.length, node.engine.torrents]).toEqual([2, []]);
  });
});

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
