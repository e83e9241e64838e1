/** Web seeds of torrents whose files end in padding (v2, hybrid): the padding passes like any bytes, and is nobody's block. */
import { expect, test } from 'vitest';
import { equalBytes } from '../../src/base/bytes.ts';
import { sleep } from '../../src/base/tasks.ts';
import { KIB, SECOND_MS } from '../../src/base/units.ts';
import type { RangeSource } from '../../src/torrent/ports.ts';
import { makeTorrentOf, MemoryStorage, Swarm, type V2TestTorrent } from '../support/swarm.ts';

const PIECE = 32 * KIB;
const FIRST_FILE_BYTES = 40_000;

/** A server that sends so many bytes of the torrent, thinks for a second, and sends the rest. */
function hesitant(swarm: Swarm, { bytes }: V2TestTorrent, pauseAtBytes: number): RangeSource {
  return {
    label: 'hesitant',
    async *fetch(start, endExclusive, signal) {
      const middle = Math.min(endExclusive, Math.max(start, pauseAtBytes));
      if (middle > start) yield bytes.slice(start, middle);
      await sleep(swarm.clock, SECOND_MS, signal);
      if (endExclusive > middle) yield bytes.slice(middle, endExclusive);
    },
  };
}

test.each([
  { where: 'with the last byte of a file', pauseAtBytes: FIRST_FILE_BYTES },
  { where: 'within the padding behind a file', pauseAtBytes: FIRST_FILE_BYTES + 5_000 },
])('an answer that pauses $where owes only the blocks behind the padding', async ({ pauseAtBytes }) => {
  const swarm = new Swarm();
  const source = await makeTorrentOf('hybrid', [FIRST_FILE_BYTES, 50_000], PIECE);
  const { engine } = swarm.addNode();
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  const webSeeds = [hesitant(swarm, source, pauseAtBytes)];
  const torrent = engine.add({
    ...source.hashes,
    info: source.info,
    ...(source.pieceLayers && { pieceLayers: source.pieceLayers }),
    storage,
    have: 'none',
    webSeeds,
    webSeedUse: 'always',
  });
  await swarm.clock.advanceAsync(500);
  const [seed] = engine.inspect().torrents[0]?.content?.webSeeds ?? [];
  // Two blocks in each piece of the second file, whose last is short: pieces 2 and 3.
  expect(seed?.asked).toEqual([4, 5, 6, 7]);
  await swarm.until(() => torrent.isComplete, 10 * SECOND_MS);
  expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
});
