/** Hashing threads: the shared contract, and the digest by itself. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { randomBytes } from '../../../test/contracts/blob-store.ts';
import { describeFollowerPool } from '../../../test/contracts/follower-pool.ts';
import { temporaryFolder } from '../../../test/support/temp-dir.ts';
import { toHex } from '../../base/bytes.ts';
import { FsBlobStore } from './blob-store.ts';
import { WorkerFollowerPool } from './follower-pool.ts';
import { PieceDigest } from './running-digest.ts';

describeFollowerPool('the pool of hashing threads', async () => {
  const folder = await temporaryFolder('follow');
  const { path: root } = folder;
  const pool = new WorkerFollowerPool({ root, threads: 2 });
  return {
    store: await FsBlobStore.open({ root }),
    pool,
    async remove() {
      await pool.close();
      await folder[Symbol.asyncDispose]();
    },
  };
});

test.each([
  { pieceLengthBytes: 7, chunkBytes: 1 },
  { pieceLengthBytes: 7, chunkBytes: 7 },
  { pieceLengthBytes: 7, chunkBytes: 100 },
  { pieceLengthBytes: 100, chunkBytes: 33 },
  { pieceLengthBytes: 1000, chunkBytes: 999 },
])(
  'pieces of $pieceLengthBytes from chunks of $chunkBytes are those of the whole',
  ({ pieceLengthBytes, chunkBytes }) => {
    const bytes = randomBytes(1000);
    const digest = new PieceDigest(pieceLengthBytes);
    for (let at = 0; at < bytes.length; at += chunkBytes) digest.update(bytes.subarray(at, at + chunkBytes));
    const want: string[] = [];
    for (let at = 0; at < bytes.length; at += pieceLengthBytes) {
      want.push(
        createHash('sha1')
          .update(bytes.subarray(at, at + pieceLengthBytes))
          .digest('hex'),
      );
    }
    expect(toHex(digest.finish())).toBe(want.join(''));
  },
);
