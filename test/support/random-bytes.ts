/** Bytes and numbers that look random and are the same in every run: a failure names a seed that brings it back. */
import { createCipheriv, createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

const BLOCK_BYTES = 16;
const CHUNK_BYTES = 4 * 1024 * 1024;

/** The bytes [position, position + count) of the endless stream that `seed` names (AES-CTR, about 2 GiB/s). */
export function seededBytes(seed: string, count: number, position = 0): Uint8Array<ArrayBuffer> {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  const counter = Buffer.alloc(BLOCK_BYTES);
  counter.writeBigUInt64BE(BigInt(Math.floor(position / BLOCK_BYTES)), 8);
  const skipped = position % BLOCK_BYTES;
  const bytes = createCipheriv('aes-128-ctr', key, counter).update(Buffer.alloc(skipped + count));
  return new Uint8Array(bytes.buffer, bytes.byteOffset + skipped, count);
}

/** Writes the first `sizeBytes` of the stream that `seed` names, without holding them in memory. */
export async function writeSeededFile(file: string, seed: string, sizeBytes: number): Promise<void> {
  const handle = await open(file, 'w');
  try {
    for (let at = 0; at < sizeBytes; at += CHUNK_BYTES)
      await handle.write(seededBytes(seed, Math.min(CHUNK_BYTES, sizeBytes - at), at));
  } finally {
    await handle.close();
  }
}

/** Uniform numbers in [0, 1), the same sequence for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
