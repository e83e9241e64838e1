/**
 * What a rate limit promises, measured on the wire: over any window no more comes in than limit × time, a quarter second's
 * worth saved (at least 32 KiB) and one read that runs over; and as much as that, fairly shared, where there are sources.
 */
import { expect, test } from 'vitest';
import { Cancelled } from '../../src/base/errors.ts';
import { sleep } from '../../src/base/tasks.ts';
import { KIB, MIB, SECOND_MS } from '../../src/base/units.ts';
import { encodeSignal } from '../../src/codec/wire-encode.ts';
import type { BlockRef } from '../../src/codec/wire.ts';
import type { Torrent, TorrentOptions } from '../../src/torrent/index.ts';
import type { RangeSource } from '../../src/torrent/ports.ts';
import type { HostOptions } from '../support/memory-network.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import {
  keyOf,
  leechOn,
  makeTorrent,
  PEER_PORT,
  seedOn,
  Swarm,
  type Node,
  type TestTorrent,
} from '../support/swarm.ts';
import { WireMeter } from '../support/wire-meter.ts';

const PIECE = 64 * KIB;
const UNLIMITED = Number.POSITIVE_INFINITY;
/** One read of a socket of the simulated network. */
const READ_BYTES = 16 * KIB;

/** What may come at once, after a quiet time. */
const burstOf = (bytesPerSecond: number): number => Math.max(32 * KIB, bytesPerSecond / 4) + READ_BYTES;

interface Scene {
  readonly swarm: Swarm;
  readonly meter: WireMeter;
  readonly source: TestTorrent;
  readonly leech: Node;
  readonly torrent: Torrent;
}

async function newScene(options: Partial<TorrentOptions> = {}, sizeBytes = 16 * MIB): Promise<Scene> {
  const swarm = new Swarm();
  const meter = new WireMeter(swarm.clock);
  const source = await makeTorrent(sizeBytes, PIECE);
  const leech: Node = swarm.addNode({ latencyMs: 5 }, {}, [meter.dialer(() => leech.machine)]);
  return { swarm, meter, source, leech, torrent: leechOn(leech, source, options) };
}

function addSeeds({ swarm, source, torrent }: Scene, count: number, host: HostOptions = { latencyMs: 20 }): void {
  const seeds = Array.from({ length: count }, () => swarm.addNode(host));
  for (const seed of seeds) seedOn(seed, source);
  torrent.addPeers(seeds.map(({ address }) => address));
}

/** A seed that answers as `answer` says. It knows no fast extension: what is cancelled it may send all the same. */
function addScripted(
  { swarm, source, torrent }: Scene,
  answer: (peer: ScriptedPeer, request: BlockRef) => void,
): ScriptedPeer[] {
  const machine = swarm.addMachine({ latencyMs: 5 });
  const peers: ScriptedPeer[] = [];
  machine.listen(PEER_PORT, (socket) => {
    const peer = new ScriptedPeer(socket, { remembers: false });
    peer.sayHello({ swarmKey: keyOf(source), fast: false });
    peer.send(Uint8Array.of(0, 0, 0, 1 + source.info.pieceCount / 8, 5, ...new Uint8Array(32).fill(255)));
    peer.send(encodeSignal('unchoke'));
    peer.onRequest = (request) => answer(peer, request);
    peers.push(peer);
  });
  torrent.addPeers([{ host: machine.host, port: PEER_PORT }]);
  return peers;
}

function bytesOf({ source }: Scene, { piece, offsetBytes, lengthBytes }: BlockRef): Uint8Array {
  const start = piece * PIECE + offsetBytes;
  return source.bytes.slice(start, start + lengthBytes);
}

/** Keeps what it is asked for, and sends it all at once every three seconds, whatever was taken back meanwhile. */
function addHoarder(scene: Scene): void {
  const kept: (() => void)[] = [];
  addScripted(scene, (peer, request) => kept.push(() => peer.sendBlock(request, bytesOf(scene, request))));
  const empty = (): void => {
    for (const send of kept.splice(0)) send();
    scene.swarm.clock.after(3 * SECOND_MS, empty);
  };
  empty();
}

/** Reads a little here and there, ten times a second, and leaves. */
function seekAround({ swarm, source, torrent }: Scene): void {
  let seeks = 0;
  const seek = async (): Promise<void> => {
    const start = (seeks++ * 37 * PIECE) % (source.bytes.length - MIB);
    const leaving = new AbortController();
    swarm.clock.after(100, () => leaving.abort(new Cancelled('seeks')));
    try {
      await torrent.read({ start, endExclusive: start + MIB, signal: leaving.signal }).pipeTo(new WritableStream());
    } catch (error) {
      if (!(error instanceof Cancelled)) throw error;
    }
    if (seeks < 100) await seek();
  };
  void seek();
}

/** An HTTP source that sends as fast as it is read. */
function webSeedOf({ swarm, source, meter }: Scene): RangeSource {
  return {
    label: 'http',
    async *fetch(start, endExclusive, signal) {
      await sleep(swarm.clock, 20, signal);
      for (let at = start; at < endExclusive; at += READ_BYTES) {
        const chunk = source.bytes.slice(at, Math.min(endExclusive, at + READ_BYTES));
        meter.came(chunk.length, 'http');
        yield chunk;
      }
    },
  };
}

interface Case {
  readonly what: string;
  readonly bytesPerSecond: number;
  readonly options?: Partial<TorrentOptions>;
  readonly happens: (scene: Scene) => void;
  /** How much of the limit is used at least; sources that send in bursts do not fill it. */
  readonly least: number;
}

const CASES: readonly Case[] = [
  { what: 'several seeds', bytesPerSecond: 512 * KIB, happens: (scene) => addSeeds(scene, 3), least: 0.75 },
  { what: 'less than a block a second', bytesPerSecond: 12_000, happens: (scene) => addSeeds(scene, 3), least: 0.8 },
  { what: 'a little more than that', bytesPerSecond: 20_000, happens: (scene) => addSeeds(scene, 3), least: 0.85 },
  {
    what: 'slow seeds that need long for a block',
    bytesPerSecond: 100_000,
    happens: (scene) => addSeeds(scene, 12, { latencyMs: 50, uploadBytesPerSecond: 12_000 }),
    least: 0.8,
  },
  { what: 'a peer that answers in bursts', bytesPerSecond: 100_000, happens: addHoarder, least: 0.3 },
  {
    what: 'a reader that seeks, among peers that ignore what is taken back',
    bytesPerSecond: 100_000,
    options: { mode: 'on-demand' },
    happens: (scene) => {
      for (let peer = 0; peer < 4; peer++) addHoarder(scene);
      seekAround(scene);
    },
    least: 0.2,
  },
  {
    what: 'a web seed beside peers',
    bytesPerSecond: 300_000,
    options: { webSeedUse: 'always' },
    happens: (scene) => {
      scene.torrent.addWebSeed(webSeedOf(scene));
      addSeeds(scene, 2);
    },
    least: 0.85,
  },
];

test.each(CASES)(
  'a download limit of $bytesPerSecond bytes a second holds over every window: $what',
  async ({ bytesPerSecond, options, happens, least }) => {
    const scene = await newScene({ ...options, downloadBytesPerSecond: bytesPerSecond });
    happens(scene);
    await scene.swarm.clock.advanceAsync(40 * SECOND_MS);
    const { meter } = scene;
    expect(meter.excessBytes(bytesPerSecond, 0, 40_000)).toBeLessThanOrEqual(burstOf(bytesPerSecond));
    expect(meter.bytesIn(0, 40_000)).toBeGreaterThan(least * 40 * bytesPerSecond);
    await scene.leech.engine.stop();
  },
);

test('a limit set while much is under way holds from that moment on; lifted again, it no longer does', async () => {
  const scene = await newScene({}, 64 * MIB);
  const { swarm, meter, leech } = scene;
  addSeeds(scene, 4, { latencyMs: 40, uploadBytesPerSecond: MIB });
  addHoarder(scene);
  await swarm.clock.advanceAsync(4_000);
  for (const [at, bytesPerSecond] of [100_000, 20_000, 200_000].entries()) {
    leech.engine.setLimits({ downloadBytesPerSecond: bytesPerSecond });
    const fromMs = swarm.clock.monotonicMs();
    await swarm.clock.advanceAsync(20 * SECOND_MS);
    const excessBytes = meter.excessBytes(bytesPerSecond, fromMs, fromMs + 20_000);
    expect(excessBytes, `limit ${at}`).toBeLessThanOrEqual(burstOf(bytesPerSecond));
  }
  leech.engine.setLimits({ downloadBytesPerSecond: UNLIMITED });
  const fromMs = swarm.clock.monotonicMs();
  await swarm.clock.advanceAsync(5_000);
  expect(meter.bytesIn(fromMs, fromMs + 5_000)).toBeGreaterThan(5 * MIB);
});

test('a download limit of 0 lets in what is under way, and nothing more until it is lifted', async () => {
  const scene = await newScene();
  const { swarm, meter, torrent } = scene;
  addSeeds(scene, 2, { latencyMs: 20, uploadBytesPerSecond: 500_000 });
  await swarm.clock.advanceAsync(2_000);
  torrent.setLimits({ downloadBytesPerSecond: 0 });
  await swarm.clock.advanceAsync(2_000);
  const still = meter.bytesIn(0, UNLIMITED);
  await swarm.clock.advanceAsync(60_000);
  expect(meter.bytesIn(0, UNLIMITED)).toBe(still);
  torrent.setLimits({ downloadBytesPerSecond: UNLIMITED });
  await swarm.until(() => torrent.isComplete, 40_000);
});

test('peers that never answer do not keep a tiny limit from those that do', async () => {
  const bytesPerSecond = 20_000;
  const scene = await newScene({ downloadBytesPerSecond: bytesPerSecond });
  for (let peer = 0; peer < 12; peer++) addScripted(scene, () => undefined);
  addSeeds(scene, 1);
  await scene.swarm.clock.advanceAsync(120 * SECOND_MS);
  expect(scene.meter.bytesIn(60_000, 120_000)).toBeGreaterThan(0.5 * 60 * bytesPerSecond);
});

test.each([20_000, 400_000])('no seed starves under a download limit of %i bytes a second', async (bytesPerSecond) => {
  const scene = await newScene({ downloadBytesPerSecond: bytesPerSecond });
  addSeeds(scene, 2, { latencyMs: 1 });
  addSeeds(scene, 4, { latencyMs: 80 });
  await scene.swarm.clock.advanceAsync(30 * SECOND_MS);
  const shares = scene.torrent.peers().map(({ downloadedBytes }) => downloadedBytes);
  expect(shares).toHaveLength(6);
  expect(Math.min(...shares)).toBeGreaterThan(0.4 * Math.max(...shares));
});

/** Six torrents of one engine, each with its own swarm of one other engine. */
async function sixTorrents(way: 'upload' | 'download') {
  const swarm = new Swarm();
  const [limited, other] = [swarm.addNode({ latencyMs: 5 }), swarm.addNode({ latencyMs: 20 })];
  const mine: Torrent[] = [];
  for (let at = 0; at < 6; at++) {
    const source = await makeTorrent(8 * MIB, PIECE, { seed: `${at}` });
    const [seed, leech] = way === 'upload' ? [limited, other] : [other, limited];
    const torrents = { seed: seedOn(seed, source), leech: leechOn(leech, source) };
    torrents.leech.addPeers([seed.address]);
    mine.push(way === 'upload' ? torrents.seed : torrents.leech);
  }
  return { swarm, limited, mine };
}

test.each([
  { way: 'upload', of: 'all', bytesPerSecond: 20_000 },
  { way: 'upload', of: 'all', bytesPerSecond: 600_000 },
  { way: 'upload', of: 'an address', bytesPerSecond: 20_000 },
  { way: 'download', of: 'all', bytesPerSecond: 20_000 },
  { way: 'download', of: 'all', bytesPerSecond: 600_000 },
  { way: 'download', of: 'an address', bytesPerSecond: 20_000 },
  { way: 'download', of: 'an address', bytesPerSecond: 600_000 },
] as const)(
  'no torrent starves under a limit ($way, $of) of $bytesPerSecond bytes a second',
  async ({ way, of, bytesPerSecond }) => {
    const { swarm, limited, mine } = await sixTorrents(way);
    limited.engine.setLimits({ [`${way}BytesPerSecond${of === 'all' ? '' : 'PerAddress'}`]: bytesPerSecond });
    await swarm.clock.advanceAsync(60 * SECOND_MS);
    const shares = mine.map((torrent) => torrent.stats()[way === 'upload' ? 'uploadedBytes' : 'bytesFromPeers']);
    const total = shares.reduce((sum, share) => sum + share, 0);
    expect(total).toBeGreaterThan(0.8 * 60 * bytesPerSecond);
    expect(total).toBeLessThan(1.05 * 60 * bytesPerSecond + 48 * KIB);
    expect(Math.min(...shares)).toBeGreaterThan(0.4 * Math.max(...shares));
  },
);

test('a reader comes first under a limit it shares with other torrents, and they do not starve', async () => {
  const bytesPerSecond = 200_000;
  const { swarm, limited, mine } = await sixTorrents('download');
  limited.engine.setLimits({ downloadBytesPerSecond: bytesPerSecond });
  await swarm.clock.advanceAsync(20_000);
  const [film] = mine;
  if (film === undefined) throw new Error('six torrents');
  const before = mine.map((torrent) => torrent.stats().bytesFromPeers);
  let size = 0;
  const reading = film
    .read({ start: 4 * MIB, endExclusive: 8 * MIB })
    .pipeTo(new WritableStream<Uint8Array>({ write: (chunk) => void (size += chunk.length) }));
  const waitedMs = await swarm.until(() => size > 0, 5_000);
  expect(waitedMs).toBeLessThan(1_500);
  await swarm.clock.advanceAsync(20_000);
  const shares = mine.map((torrent, at) => torrent.stats().bytesFromPeers - (before[at] ?? 0));
  expect(shares[0]).toBeGreaterThan(0.4 * 20 * bytesPerSecond);
  expect(Math.min(...shares)).toBeGreaterThan(0.03 * 20 * bytesPerSecond);
  await limited.engine.stop();
  await expect(reading).rejects.toBeInstanceOf(Cancelled);
});

test.each([20_000, 300_000])('an upload limit of %i bytes a second is shared by all who are unchoked', async (rate) => {
  const swarm = new Swarm();
  const source = await makeTorrent(8 * MIB, PIECE);
  const seed = swarm.addNode({ latencyMs: 5 });
  const seeded = seedOn(seed, source, { uploadBytesPerSecond: rate });
  for (let at = 0; at < 4; at++) leechOn(swarm.addNode({ latencyMs: 10 * at }), source, { peers: [seed.address] });
  await swarm.clock.advanceAsync(60 * SECOND_MS);
  const shares = seeded
    .peers()
    .filter(({ weUnchoke }) => weUnchoke)
    .map(({ uploadedBytes }) => uploadedBytes);
  expect(Math.min(...shares)).toBeGreaterThan(0.4 * Math.max(...shares));
});
