/** Peers that deliver, but next to nothing, do not hold up a download that others could finish. */
import { describe, expect, test } from 'vitest';
import { KIB, MIB } from '../../src/base/units.ts';
import { BLOCK_BYTES } from '../../src/codec/wire.ts';
import type { Torrent } from '../../src/torrent/index.ts';
import { SlowSwarm } from '../support/slow-swarm.ts';
import { leechOn, makeTorrent } from '../support/swarm.ts';

const PIECE = 256 * KIB;
const FAST = 10 * MIB;

/** How long the download takes with a fast seed and so many peers that bring a block every four seconds, which come first. */
async function downloadMs(
  drippers: number,
  { sizeBytes = 8 * MIB, latencyMs = 5, ...options }: Partial<Scene> = {},
): Promise<number> {
  const source = await makeTorrent(sizeBytes, PIECE, { ...(options.files && { files: options.files }) });
  const swarm = new SlowSwarm(source, options.pieceBufferBytes);
  const torrent = leechOn(swarm.leech, source, options.files && { selectedFiles: [{ first: 0, last: 0 }] });
  for (let at = 0; at < drippers; at++) await swarm.dripping(4_000);
  await swarm.clock.advanceAsync(50);
  torrent.addPeers([swarm.addSeed({ latencyMs, uploadBytesPerSecond: FAST }).address]);
  return swarm.until(() => torrent.isDone);
}

interface Scene {
  readonly sizeBytes: number;
  readonly latencyMs: number;
  readonly pieceBufferBytes: number;
  readonly files: readonly { readonly lengthBytes: number }[];
}

describe('a fast seed finishes a download beside peers that bring a block every four seconds', () => {
  const endsInPiece = [{ lengthBytes: 3.1 * MIB }, { lengthBytes: 4.9 * MIB }].map(({ lengthBytes }) => ({
    lengthBytes: Math.floor(lengthBytes),
  }));
  test.each<[string, number, Partial<Scene>]>([
    ['eight of them', 8, {}],
    ['twenty of them', 20, {}],
    ['the seed is far away', 8, { latencyMs: 100, sizeBytes: 32 * MIB }],
    ['memory holds four pieces', 8, { pieceBufferBytes: 4 * PIECE, sizeBytes: 32 * MIB }],
    ['memory holds four pieces, forty of them', 40, { pieceBufferBytes: 4 * PIECE, sizeBytes: 32 * MIB }],
    ['the selected file ends within a piece', 8, { sizeBytes: 8 * MIB, files: endsInPiece }],
  ])('%s', async (_case, drippers, scene) => {
    expect(await downloadMs(drippers, scene)).toBeLessThan(1.2 * (await downloadMs(0, scene)) + 500);
  });
});

test('the fast one takes over what they hold for seconds even while a piece is left that nobody has', async () => {
  const swarm = new SlowSwarm(await makeTorrent(8 * MIB, PIECE));
  const torrent = leechOn(swarm.leech, swarm.source);
  for (let at = 0; at < 8; at++) await swarm.dripping(4_000, [0]);
  const fast = await swarm.peer({ uploadBytesPerSecond: FAST }, [0]);
  fast.serve(swarm.source.bytes, PIECE);
  await swarm.until(() => torrent.have.count === torrent.have.length - 1, 4_000);
});

test('a slow seed is not displaced by newcomers that have proven nothing', async () => {
  const run = async (newcomers: number): Promise<number> => {
    const swarm = new SlowSwarm(await makeTorrent(4 * PIECE, PIECE));
    const torrent: Torrent = leechOn(swarm.leech, swarm.source);
    await swarm.dripping(250);
    for (let at = 0; at < newcomers; at++) {
      await swarm.clock.advanceAsync(400);
      await swarm.peer();
    }
    await swarm.until(() => torrent.isComplete);
    return swarm.clock.monotonicMs();
  };
  const alone = await run(0);
  expect(alone).toBeGreaterThan((4 * PIECE * 250) / BLOCK_BYTES);
  expect(await run(30)).toBeLessThan(1.3 * alone);
});
