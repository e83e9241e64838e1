/** Peers that are quick and honest but for the one block a reader waits for: they hold the reader up for a moment. */
import { expect, test } from 'vitest';
import { KIB, MIB } from '../../src/base/units.ts';
import { BLOCK_BYTES } from '../../src/codec/wire.ts';
import type { Torrent } from '../../src/torrent/index.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { keyOf, leechOn, makeTorrent, seedOn, Swarm } from '../support/swarm.ts';

const PIECE = 256 * KIB;
const HELD_PIECE = 20;
const NEVER_MS = Number.POSITIVE_INFINITY;

/** Reads 1 MiB from the start of a piece; resolves with how long that takes. */
async function readMs(swarm: Swarm, torrent: Torrent, piece: number): Promise<number> {
  const range = { start: piece * PIECE, endExclusive: piece * PIECE + MIB, bytesPerSecond: MIB };
  let isOver = false;
  const reading = (async () => {
    let sizeBytes = 0;
    for await (const chunk of torrent.read(range)) sizeBytes += chunk.length;
    isOver = true;
    return sizeBytes;
  })();
  const tookMs = await swarm.until(() => isOver, 30_000);
  expect(await reading).toBe(MIB);
  return tookMs;
}

/** How long a reader takes over the held block; the peers that hold it refuse it after so long. Counts who is asked for it. */
async function readHeld(holders: number, refuseAfterMs: number): Promise<{ tookMs: number; asked: number }> {
  const swarm = new Swarm();
  const source = await makeTorrent(16 * MIB, PIECE);
  const leech = swarm.addNode({ latencyMs: 5 });
  const torrent = leechOn(leech, source, { mode: 'on-demand' });
  let asked = 0;
  for (let at = 0; at < holders; at++) {
    const peer = new ScriptedPeer(await swarm.addMachine({ latencyMs: 1 }).dial(leech.address));
    peer
      .sayHello({ swarmKey: keyOf(source) })
      .signal('haveAll')
      .signal('unchoke')
      .serve(source.bytes, PIECE);
    const serve = peer.onRequest;
    peer.onRequest = (request) => {
      if (request.piece !== HELD_PIECE || request.offsetBytes !== 3 * BLOCK_BYTES) return serve(request);
      asked++;
      if (refuseAfterMs !== NEVER_MS) swarm.clock.after(refuseAfterMs, () => peer.reject(request));
    };
  }
  const seed = swarm.addNode({ latencyMs: 20, uploadBytesPerSecond: 2 * MIB });
  seedOn(seed, source);
  torrent.addPeers([seed.address]);
  await swarm.clock.advanceAsync(500);
  // Now all are known, and those that will hold the block as the quickest.
  await readMs(swarm, torrent, 0);
  return { tookMs: await readMs(swarm, torrent, HELD_PIECE), asked };
}

test.each([
  [1, 900],
  [3, 400],
  [3, 900],
  [3, 9_000],
  [3, NEVER_MS],
  [8, 400],
  [8, 900],
  [8, 9_000],
  [8, NEVER_MS],
])(
  '%i quick peers that keep one block back, and refuse it after %f ms, cost a reader little',
  async (holders, afterMs) => {
    // Each of them may have its chance: one after the other is found late.
    const { tookMs } = await readHeld(holders, afterMs);
    expect(tookMs).toBeLessThan((await readHeld(0, 0)).tookMs + 200 + 150 * holders);
  },
);

test('of many that refuse the block soon each is asked about once: somebody else has it', async () => {
  const { asked, tookMs } = await readHeld(8, 40);
  expect(asked).toBeLessThan(1.5 * 8);
  expect(tookMs).toBeLessThan(600);
});

/** What reading 1 MiB at each of these pieces takes, once all of the quick peers beside a seed have stopped at once. */
async function readAfterStop(quickPeers: number): Promise<number[]> {
  const swarm = new Swarm();
  const source = await makeTorrent(16 * MIB, PIECE);
  const leech = swarm.addNode({ latencyMs: 5 });
  const torrent = leechOn(leech, source, { mode: 'on-demand' });
  let haveStopped = false;
  for (let at = 0; at < quickPeers; at++) {
    const peer = new ScriptedPeer(await swarm.addMachine({ latencyMs: 1 }).dial(leech.address));
    peer
      .sayHello({ swarmKey: keyOf(source) })
      .signal('haveAll')
      .signal('unchoke')
      .serve(source.bytes, PIECE);
    const serve = peer.onRequest;
    peer.onRequest = (request) => haveStopped || serve(request);
  }
  const seed = swarm.addNode({ latencyMs: 20, uploadBytesPerSecond: 2 * MIB });
  seedOn(seed, source);
  torrent.addPeers([seed.address]);
  await swarm.clock.advanceAsync(500);
  await readMs(swarm, torrent, 0);
  haveStopped = true;
  const times: number[] = [];
  for (const piece of [20, 40, 10, 50]) times.push(await readMs(swarm, torrent, piece));
  return times;
}

test.each([1, 3, 8, 20])(
  '%i quick peers that stop at once cost a reader one moment, and then nothing',
  async (count) => {
    const [[aloneMs = 0], [firstMs, ...laterMs]] = [await readAfterStop(0), await readAfterStop(count)];
    expect(firstMs).toBeLessThan(aloneMs + 400);
    for (const ms of laterMs) expect(ms).toBeLessThan(aloneMs + 120);
  },
);
