/** Hashing that takes virtual time, so that much can happen between a complete piece and its verdict. */
import { createHash } from 'node:crypto';
import type { Clock } from '../../../src/base/clock.ts';
import { sleep } from '../../../src/base/tasks.ts';
import type { Hasher } from '../../../src/torrent/ports.ts';
import type { Dice } from './dice.ts';

/** A hasher whose every digest takes up to `slowestMs`, and reads its input at the end of that time. */
export function delayedHasher(clock: Clock, dice: Dice, slowestMs: number): Hasher {
  const digest = async (algorithm: string, bytes: Uint8Array): Promise<Uint8Array> => {
    await sleep(clock, Math.round(dice.next() * slowestMs));
    return new Uint8Array(createHash(algorithm).update(bytes).digest());
  };
  return { sha1: (bytes) => digest('sha1', bytes), sha256: (bytes) => digest('sha256', bytes) };
}
