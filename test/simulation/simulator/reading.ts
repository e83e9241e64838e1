/** Readers of a simulation: they read, wait, leave, are aborted, and compare every byte with the truth. */
import { Cancelled } from '../../../src/base/errors.ts';
import { sleep } from '../../../src/base/tasks.ts';
import { SECOND_MS } from '../../../src/base/units.ts';
import type { TorrentInfo } from '../../../src/codec/torrent-info.ts';
import type { Torrent } from '../../../src/torrent/index.ts';
import type { TestTorrent } from '../../support/swarm.ts';
import { areEqual } from './compare.ts';
import type { Orders } from './orders.ts';
import type { ReadPlan } from './scenario.ts';
import type { World } from './world.ts';

/** A reader that was aborted hears of it at once; this much later it is still waiting only if nobody told it. */
const ABORT_GRACE_MS = SECOND_MS;

export interface Reading {
  readonly world: World;
  readonly name: string;
  readonly torrent: Torrent;
  readonly source: TestTorrent;
  readonly orders: Orders;
  readonly isOver: () => boolean;
}

interface Target {
  /** Index of the file; undefined = the torrent. */
  readonly file: number | undefined;
  /** Where the target begins in the torrent. */
  readonly baseBytes: number;
  readonly start: number;
  readonly endExclusive: number;
}

/** Reads as planned; true when the plan is fulfilled, false when the machine went off before. Rejects as the stream does. */
export async function readAsPlanned(plan: ReadPlan, reading: Reading): Promise<boolean> {
  const { world, torrent, orders, isOver } = reading;
  await sleep(world.clock, plan.atMs);
  if (isOver()) return false;
  const target = targetOf(plan, await torrent.ready());
  if (isOver()) return false;
  const { baseBytes, start, endExclusive } = target;
  const ends = orders.reads({ start: baseBytes + start, endExclusive: baseBytes + endExclusive });
  try {
    return await new Consumer(plan, target, reading).consume();
  } finally {
    ends();
  }
}

function targetOf({ file, from, to }: ReadPlan, { totalBytes, files }: TorrentInfo): Target {
  const readable = [...files.entries()].filter(([, { isPad, lengthBytes }]) => !isPad && lengthBytes > 0);
  const [index, entry] = (file === undefined ? undefined : readable[file % readable.length]) ?? [];
  const sizeBytes = entry?.lengthBytes ?? totalBytes;
  const start = Math.min(sizeBytes - 1, Math.floor(from * sizeBytes));
  const endExclusive = Math.max(start + 1, Math.floor(to * sizeBytes));
  return { file: index, baseBytes: entry?.offsetBytes ?? 0, start, endExclusive };
}

class Consumer {
  readonly #plan: ReadPlan;
  readonly #target: Target;
  readonly #reading: Reading;
  readonly #abort = new AbortController();
  /** Waits for the stream now. */
  #isWaiting = true;

  constructor(plan: ReadPlan, target: Target, reading: Reading) {
    this.#plan = plan;
    this.#target = target;
    this.#reading = reading;
  }

  async consume(): Promise<boolean> {
    const { abortsAfterMs } = this.#plan;
    const { clock } = this.#reading.world;
    const cancel = abortsAfterMs === undefined ? undefined : clock.after(abortsAfterMs, () => this.#aborts());
    try {
      return await this.#read();
    } catch (error) {
      if (!(error instanceof Cancelled && this.#abort.signal.aborted)) throw error;
      return true;
    } finally {
      this.#isWaiting = false;
      cancel?.();
    }
  }

  async #read(): Promise<boolean> {
    const { world, name, source, isOver } = this.#reading;
    const { baseBytes, start, endExclusive } = this.#target;
    const leavesAt = start + (endExclusive - start) * this.#plan.leavesAfter;
    let position = start;
    for await (const chunk of this.#open()) {
      this.#isWaiting = false;
      const at = baseBytes + position;
      const truth = source.bytes.subarray(at, at + chunk.length);
      world.referee.check(areEqual(chunk, truth), 'a reader gets the right bytes', () => `${name} at ${at}`);
      position += chunk.length;
      if (position >= leavesAt) break;
      await sleep(world.clock, Math.ceil((chunk.length / this.#plan.bytesPerSecond) * 1000));
      if (isOver()) return false;
      this.#isWaiting = true;
    }
    world.referee.note(`${name} read ${start} to ${position}`);
    const isRight = this.#plan.leavesAfter < 1 || position === endExclusive;
    this.#mustEnd(isRight, `${name}: ended at ${position} of ${endExclusive}`);
    return true;
  }

  #open(): ReadableStream<Uint8Array> {
    const { torrent } = this.#reading;
    const { file, start, endExclusive } = this.#target;
    const { bytesPerSecond, deadlineMs = 0 } = this.#plan;
    const options = { start, endExclusive, bytesPerSecond, deadlineMs, signal: this.#abort.signal };
    return file === undefined ? torrent.read(options) : torrent.file(file).read(options);
  }

  #aborts(): void {
    const { world, name, isOver } = this.#reading;
    this.#abort.abort();
    world.clock.after(ABORT_GRACE_MS, () =>
      this.#mustEnd(!this.#isWaiting || isOver(), `${name}: was aborted and waits on`),
    );
  }

  #mustEnd(holds: boolean, what: string): void {
    this.#reading.world.referee.check(holds, 'a reader ends with its bytes or a typed error', () => what);
  }
}
