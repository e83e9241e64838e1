/** Limits that users set: bytes per second, of a torrent or of the engine, and memory for pieces on their way. */
import { expect, test } from 'vitest';
import { KIB, MIB } from '../../src/base/units.ts';
import { Bitfield } from '../../src/codec/bitfield.ts';
import { encodeBitfield } from '../../src/codec/wire-encode.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { keyOf, leechOn, makeTorrent, type Node, seedOn, Swarm } from '../support/swarm.ts';

const PIECE = 64 * KIB;

test.each(['torrent', 'engine'] as const)('an upload limit of the %s holds within ten percent', async (where) => {
  const swarm = new Swarm();
  const source = await makeTorrent(4 * MIB, PIECE);
  const seed = swarm.addNode({ latencyMs: 5 });
  const seeded = seedOn(seed, source);
  (where === 'torrent' ? seeded : seed.engine).setLimits({ uploadBytesPerSecond: 256 * KIB });
  const leeches = Array.from({ length: 3 }, () => leechOn(swarm.addNode({ latencyMs: 5 }), source, { mode: 'all' }));
  for (const torrent of leeches) torrent.addPeers([seed.address]);
  await swarm.clock.advanceAsync(10_000);
  const rate = seeded.stats().uploadedBytes / 10;
  expect(rate).toBeGreaterThan(0.85 * 256 * KIB);
  expect(rate).toBeLessThan(1.1 * 256 * KIB);
  const shares = leeches.map((torrent) => torrent.stats().bytesFromPeers);
  expect(Math.min(...shares)).toBeGreaterThan(0.5 * Math.max(...shares));
});

test.each(['torrent', 'engine'] as const)('a download limit of the %s holds within ten percent', async (where) => {
  const swarm = new Swarm();
  const source = await makeTorrent(8 * MIB, PIECE);
  const seeds = Array.from({ length: 3 }, () => swarm.addNode({ latencyMs: 5 }));
  for (const seed of seeds) seedOn(seed, source);
  const leech = swarm.addNode({ latencyMs: 5 });
  const torrent = leechOn(leech, source);
  (where === 'torrent' ? torrent : leech.engine).setLimits({ downloadBytesPerSecond: 512 * KIB });
  torrent.addPeers(seeds.map(({ address }) => address));
  await swarm.clock.advanceAsync(10_000);
  const rate = torrent.stats().bytesFromPeers / 10;
  expect(rate).toBeGreaterThan(0.85 * 512 * KIB);
  expect(rate).toBeLessThan(1.1 * 512 * KIB);
});

test.each(['upload', 'download'] as const)(
  'connections of one address share its %s limit, over all torrents; another address has its own',
  async (way) => {
    const swarm = new Swarm();
    const a = await makeTorrent(8 * MIB, PIECE, { seed: 'a' });
    const b = await makeTorrent(8 * MIB, PIECE, { seed: 'b' });
    const [limited, two, one] = [5, 5, 5].map((latencyMs) => swarm.addNode({ latencyMs })) as [Node, Node, Node];
    const [onLimited, onOthers] = way === 'upload' ? [seedOn, leechOn] : [leechOn, seedOn];
    const mine = [onLimited(limited, a), onLimited(limited, b)];
    for (const torrent of [onOthers(two, a), onOthers(two, b), onOthers(one, a)]) torrent.addPeers([limited.address]);
    limited.engine.setLimits({ [`${way}BytesPerSecondPerAddress`]: 256 * KIB });
    await swarm.clock.advanceAsync(10_000);
    const peers = mine.flatMap((torrent) => torrent.peers());
    expect(peers).toHaveLength(3);
    for (const { host } of [two.machine, one.machine]) {
      const carried = peers.filter(({ address }) => address?.host === host).map((peer) => peer[`${way}edBytes`]);
      const rate = carried.reduce((sum, bytes) => sum + bytes, 0) / 10;
      expect(rate).toBeGreaterThan(0.85 * 256 * KIB);
      expect(rate).toBeLessThan(1.1 * 256 * KIB);
    }
  },
);

test('an upload limit of 0 serves nobody, and says so by choking', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const seed = swarm.addNode({ latencyMs: 5 });
  const torrent = seedOn(seed, source, { uploadBytesPerSecond: 0 });
  const leech = leechOn(swarm.addNode({ latencyMs: 5 }), source);
  leech.addPeers([seed.address]);
  await swarm.clock.advanceAsync(30_000);
  expect(torrent.stats()).toMatchObject({ peers: 1, uploadedBytes: 0 });
  expect(torrent.peers()[0]?.weUnchoke).toBe(false);
  torrent.setLimits({ uploadBytesPerSecond: Number.POSITIVE_INFINITY });
  await swarm.until(() => leech.isComplete, 15_000);
});

test('memory for pieces on their way stays within the budget', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(32 * MIB, MIB);
  const seeds = Array.from({ length: 6 }, () => swarm.addNode({ latencyMs: 20, uploadBytesPerSecond: 2 * MIB }));
  for (const seed of seeds) seedOn(seed, source);
  const leech = swarm.addNode({ latencyMs: 20 }, { limits: { pieceBufferBytes: 4 * MIB } });
  const torrent = leechOn(leech, source);
  torrent.addPeers(seeds.map(({ address }) => address));
  let most = 0;
  await swarm.until(() => {
    most = Math.max(most, leech.engine.bufferBytes);
    return torrent.isComplete;
  });
  expect(most).toBeLessThanOrEqual(4 * MIB);
});

test('when all memory is taken by pieces nobody reads, a reader still gets its bytes', async () => {
  const swarm = new Swarm();
  const [bulk, film] = [await makeTorrent(16 * MIB, MIB, { seed: 'bulk' }), await makeTorrent(8 * MIB, MIB)];
  const slow = swarm.addNode({ latencyMs: 5 });
  seedOn(slow, bulk, { uploadBytesPerSecond: 32 * KIB });
  const fast = swarm.addNode({ latencyMs: 5 });
  seedOn(fast, film);
  const leech = swarm.addNode({ latencyMs: 5 }, { limits: { pieceBufferBytes: MIB } });
  leechOn(leech, bulk).addPeers([slow.address]);
  await swarm.clock.advanceAsync(5_000);
  expect(leech.engine.bufferBytes).toBeGreaterThan(0);
  const torrent = leechOn(leech, film, { mode: 'on-demand' });
  torrent.addPeers([fast.address]);
  let size = 0;
  const reading = (async () => {
    for await (const chunk of torrent.read({ start: 0, endExclusive: 4 * MIB })) size += chunk.length;
  })();
  await swarm.until(() => size === 4 * MIB, 10_000);
  await reading;
});

test('memory held by a piece that nobody brings any more is given to pieces that somebody has', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(4 * MIB, MIB);
  const leech = swarm.addNode({}, { limits: { pieceBufferBytes: MIB } });
  const torrent = leechOn(leech, source);
  const having = async (...pieces: number[]): Promise<ScriptedPeer> => {
    const have = new Bitfield(4);
    for (const piece of pieces) have.set(piece);
    const peer = new ScriptedPeer(await swarm.addMachine().dial(leech.address));
    return peer
      .sayHello({ swarmKey: keyOf(source) })
      .send(encodeBitfield(have))
      .signal('unchoke');
  };
  const leaving = await having(0);
  await swarm.until(() => leaving.requests.length > 0);
  const [first] = leaving.requests;
  if (first !== undefined) leaving.sendBlock(first, source.bytes.subarray(0, first.lengthBytes));
  await swarm.clock.advanceAsync(100);
  leaving.socket.close();
  const staying = await having(1, 2, 3);
  staying.serve(source.bytes, MIB);
  await swarm.until(() => torrent.have.count === 3, 20_000);
});

test.each(['its peers stay', 'its peers leave'])(
  'memory of a piece that nobody reads on with is given to other torrents, when %s',
  async (what) => {
    const swarm = new Swarm();
    const [film, bulk] = [await makeTorrent(4 * MIB, MIB, { seed: 'film' }), await makeTorrent(4 * MIB, MIB)];
    const [slow, fast] = [swarm.addNode({ uploadBytesPerSecond: 64 * KIB }), swarm.addNode()];
    seedOn(slow, film);
    seedOn(fast, bulk);
    const leech = swarm.addNode({}, { limits: { pieceBufferBytes: MIB } });
    const watched = leechOn(leech, film, { mode: 'on-demand', peers: [slow.address] });
    const leaving = new AbortController();
    const reading = watched
      .read({ start: 0, endExclusive: 4 * MIB, signal: leaving.signal })
      .pipeTo(new WritableStream());
    await swarm.clock.advanceAsync(4_000);
    expect(leech.engine.bufferBytes).toBe(MIB);
    leaving.abort(new Error('seen enough'));
    await expect(reading).rejects.toThrow();
    if (what === 'its peers leave') await slow.engine.stop();
    const torrent = leechOn(leech, bulk, { peers: [fast.address] });
    await swarm.until(() => torrent.isComplete, 90_000);
  },
);
