/** A torrent on a simulated machine: its disk and its readers, across all runs of its engine. */
import { sleep } from '../../../src/base/tasks.ts';
import type { Torrent } from '../../../src/torrent/index.ts';
import type { TestTorrent } from '../../support/swarm.ts';
import { areEqual } from './compare.ts';
import { Disk } from './disk.ts';
import type { HoldingPlan, ReadPlan } from './scenario.ts';
import type { World } from './world.ts';

/** The run of the engine in which the torrent is open now. */
interface Run {
  readonly world: World;
  /** The machine's name, for reports. */
  readonly name: string;
  isOver(): boolean;
}

export class Holding {
  readonly plan: HoldingPlan;
  readonly torrent: TestTorrent;
  readonly disk: Disk;
  /** Its storage failed, as planned. */
  hasFailed = false;
  #knowsMetadata: boolean;
  #running: Torrent | undefined;
  readonly #readsLeft: Set<ReadPlan>;

  constructor(plan: HoldingPlan, torrent: TestTorrent) {
    this.plan = plan;
    this.torrent = torrent;
    const all = Array.from({ length: torrent.info.pieceCount }, (_, piece) => piece);
    const { start } = plan;
    const isThere = (piece: number): boolean =>
      start === 'all' || (start !== 'none' && piece % start.of === start.rest);
    this.disk = new Disk(plan.disk, torrent, all.filter(isThere));
    this.#knowsMetadata = !plan.isMagnet;
    this.#readsLeft = new Set(plan.reads);
  }

  get needsMetadata(): boolean {
    return !this.#knowsMetadata;
  }

  /** Everything that can be expected of it is done. */
  get isDone(): boolean {
    if (this.hasFailed) return true;
    if (this.#readsLeft.size > 0) return false;
    return this.plan.mode !== 'all' || this.#running?.isComplete === true;
  }

  /** What is missing, for reports. */
  get missing(): string {
    return `${this.disk.recorded.count} of ${this.disk.recorded.length} pieces, ${this.#readsLeft.size} reads to do`;
  }

  /** The torrent was added to an engine. */
  running(torrent: Torrent, run: Run): void {
    this.#running = torrent;
    torrent.events.on('metadata', () => (this.#knowsMetadata = true));
    torrent.events.on('verified', ({ piece }) => this.disk.recorded.set(piece));
    torrent.events.on('done', () => {
      const { referee } = run.world;
      referee.check(
        this.disk.isWhole,
        'a node claims only what it holds',
        () => `${run.name} is done, its disk is not`,
      );
    });
    torrent.events.on('error', (error) => {
      run.world.referee.check(this.#mayFail, 'no fault escapes', () => `${run.name}: ${String(error)}`);
      this.hasFailed = true;
    });
    for (const read of this.#readsLeft)
      this.#read(read, torrent, run).catch((error: unknown) => this.#ended(error, run));
  }

  get #mayFail(): boolean {
    const { roomBytes, breaksAtMs } = this.plan.disk;
    return roomBytes !== undefined || breaksAtMs !== undefined;
  }

  #ended(error: unknown, run: Run): void {
    if (run.isOver() || this.hasFailed) return;
    this.hasFailed = this.#mayFail;
    if (this.#mayFail) return;
    run.world.referee.broken('a reader gets the right bytes', `${run.name}: ${String(error)}`);
  }

  async #read(plan: ReadPlan, torrent: Torrent, run: Run): Promise<void> {
    const { clock, referee } = run.world;
    await sleep(clock, plan.atMs);
    if (run.isOver()) return;
    const { totalBytes } = await torrent.ready();
    const start = Math.min(totalBytes - 1, Math.floor(plan.from * totalBytes));
    const endExclusive = Math.max(start + 1, Math.floor(plan.to * totalBytes));
    const leavesAt = start + (endExclusive - start) * plan.leavesAfter;
    let position = start;
    for await (const chunk of torrent.read({ start, endExclusive, bytesPerSecond: plan.bytesPerSecond })) {
      const truth = this.torrent.bytes.subarray(position, position + chunk.length);
      referee.check(areEqual(chunk, truth), 'a reader gets the right bytes', () => `${run.name} at ${position}`);
      position += chunk.length;
      if (position >= leavesAt) break;
      await sleep(clock, Math.ceil((chunk.length / plan.bytesPerSecond) * 1000));
      if (run.isOver()) return;
    }
    referee.note(`${run.name} read ${start} to ${position}`);
    const isRight = plan.leavesAfter < 1 || position === endExclusive;
    referee.check(isRight, 'a reader gets the right bytes', () => `${run.name}: ended at ${position}`);
    this.#readsLeft.delete(plan);
  }
}
