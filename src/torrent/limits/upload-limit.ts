/**
 * An upload limit of the engine, a torrent or an address. What it means: over any window of W seconds no more bytes of
 * blocks leave than limit × W, what the bucket saves (a quarter second's worth, or 32 KiB), and one block that runs over;
 * bytes are charged when they are chosen, so what waited for the disk then may leave later.
 */
import { TokenBucket } from './rate.ts';
import { Turns } from './turns.ts';

export class UploadLimit extends TokenBucket {
  readonly turns = new Turns();
}
