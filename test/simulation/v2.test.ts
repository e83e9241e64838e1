/** BitTorrent v2 and hybrids between whole engines: how they are found and fetched (BEP 52). */
import { describe, expect, test } from 'vitest';
import { equalBytes } from '../../src/base/bytes.ts';
import { HashMismatch } from '../../src/base/errors.ts';
import { swarmKeyOf } from '../../src/base/ids.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import type { InfoHashes } from '../../src/codec/metainfo.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { makeTorrentOf, Swarm } from '../support/swarm.ts';
import { addByMagnet, addLeech, addSeed } from '../support/v2-swarm.ts';

const BLOCK = 16 * KIB;

const SHAPES = [
  { sizes: [1], pieceLengthBytes: 16 * KIB },
  { sizes: [BLOCK + 1], pieceLengthBytes: 16 * KIB },
  { sizes: [3 * MIB + 5], pieceLengthBytes: 64 * KIB },
  { sizes: [300_000, 0, 65_536, 1, 40_000, 2 * MIB + 7], pieceLengthBytes: 64 * KIB },
];
const CASES = SHAPES.flatMap(({ sizes, pieceLengthBytes }) => [
  { format: 'v2' as const, sizes, pieceLengthBytes },
  { format: 'hybrid' as const, sizes, pieceLengthBytes },
]);

describe.each(CASES)('$format of $sizes bytes', ({ format, sizes, pieceLengthBytes }) => {
  test('is fetched by .torrent, and its padding asked of nobody', async () => {
    const swarm = new Swarm();
    const source = await makeTorrentOf(format, sizes, pieceLengthBytes);
    const seed = addSeed(swarm, source);
    const { storage, torrent } = addLeech(swarm, source, true, { peers: [seed.address] });
    await swarm.until(() => torrent.isComplete, 60_000);
    expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
    expect(torrent.stats().bytesFromPeers).toBe(sizes.reduce((sum, size) => sum + size, 0));
  });

  const wanted: readonly (keyof InfoHashes)[][] = format === 'v2' ? [['v2']] : [['v2'], ['v1'], ['v1', 'v2']];
  test.each(wanted.map((hashes) => ({ hashes })))('is fetched by its $hashes alone', async ({ hashes }) => {
    const swarm = new Swarm();
    const source = await makeTorrentOf(format, sizes, pieceLengthBytes);
    const seed = addSeed(swarm, source);
    const named = Object.fromEntries(hashes.map((version) => [version, source.hashes[version]]));
    const { node, storage, torrent } = addByMagnet(swarm, source, named, [seed]);
    await swarm.until(() => torrent.isComplete, 60_000);
    expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
    // A hybrid found by its v2 hash is found under both from then on.
    const keys = hashes.includes('v2') ? Object.values(source.hashes) : [source.hashes.v1];
    for (const hash of keys) expect(node.engine.get(swarmKeyOf(hash ?? expect.fail()))).toBe(torrent);
  });
});

test('a layer of more than 512 pieces comes in several answers, and what has come can be fetched at once', async () => {
  const swarm = new Swarm();
  const source = await makeTorrentOf('v2', [1_100 * BLOCK + 1], BLOCK);
  const seed = addSeed(swarm, source);
  const { storage, torrent } = addByMagnet(swarm, source, source.hashes, [seed]);
  await swarm.until(() => torrent.isComplete, 120_000);
  expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
});

test('a magnet passes through a leecher that had no more than the magnet itself', async () => {
  const swarm = new Swarm();
  const source = await makeTorrentOf('v2', [2 * MIB], 32 * KIB);
  const first = addByMagnet(swarm, source, source.hashes, [addSeed(swarm, source)]);
  await swarm.until(() => first.torrent.isComplete, 60_000);
  const second = addByMagnet(swarm, source, source.hashes, [first.node]);
  await swarm.until(() => second.torrent.isComplete, 60_000);
  expect(equalBytes(second.storage.bytes, source.bytes)).toBe(true);
});

test('a hybrid whose halves describe different bytes stops with an error, and nobody is blamed', async () => {
  const swarm = new Swarm();
  const source = await makeTorrentOf('hybrid', [MIB], 64 * KIB);
  const pieces = source.info.pieces?.map((byte) => byte ^ 1) ?? new Uint8Array();
  const seed = addSeed(swarm, source);
  const liar = { ...source, info: { ...source.info, pieces } };
  const { torrent, storage } = addLeech(swarm, liar, true, { peers: [seed.address] });
  let error: Error | undefined;
  torrent.events.on('error', (thrown) => (error = thrown));
  await swarm.until(() => error !== undefined, 60_000);
  expect(error).toBeInstanceOf(HashMismatch);
  expect(torrent.have.isEmpty).toBe(true);
  expect(storage.bytes.every((byte) => byte === 0)).toBe(true);
  expect(torrent.peers()).toHaveLength(1);
});

describe('the handshake of a hybrid', () => {
  async function greet(options: { readonly v2: boolean; readonly by: 'v1' | 'v2' }) {
    const swarm = new Swarm();
    const source = await makeTorrentOf('hybrid', [MIB], 64 * KIB);
    const seed = addSeed(swarm, source);
    const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
    peer.sayHello({ swarmKey: swarmKeyOf(source.hashes[options.by] ?? expect.fail()), v2: options.v2 });
    await swarm.until(() => peer.handshake !== undefined);
    return { source, answer: peer.handshake };
  }

  test.each([
    { by: 'v1', v2: false, answered: 'v1' },
    { by: 'v1', v2: true, answered: 'v2' },
    { by: 'v2', v2: false, answered: 'v2' },
    { by: 'v2', v2: true, answered: 'v2' },
  ] as const)('by $by, v2 bit $v2, is answered with $answered', async ({ answered, ...options }) => {
    const { source, answer } = await greet(options);
    expect(answer?.swarmKey).toBe(swarmKeyOf(source.hashes[answered] ?? expect.fail()));
    expect(answer?.v2).toBe(true);
  });
});
