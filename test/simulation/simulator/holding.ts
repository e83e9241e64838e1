/** A torrent on a simulated machine: its disk, its readers and what its user does, across all runs of its engine. */
import type { Torrent } from '../../../src/torrent/index.ts';
import type { V2TestTorrent } from '../../support/swarm.ts';
import { order, perform, type Deed, type Doing } from './deeds.ts';
import { Disk } from './disk.ts';
import { Orders } from './orders.ts';
import { readAsPlanned } from './reading.ts';
import type { HoldingPlan, ReadPlan } from './scenario.ts';
import type { World } from './world.ts';

/** The run of the engine in which the torrent is open now. */
interface Run {
  readonly world: World;
  /** The machine's name, for reports. */
  readonly name: string;
  readonly storage: Doing['storage'];
  readonly reopen: () => void;
  readonly isOver: () => boolean;
}

export class Holding {
  readonly plan: HoldingPlan;
  readonly torrent: V2TestTorrent;
  readonly disk: Disk;
  /** What the engine was told to fetch. */
  readonly orders: Orders;
  /** Its storage failed, as planned. */
  hasFailed = false;
  #knowsMetadata: boolean;
  #running: { readonly torrent: Torrent; readonly run: Run } | undefined;
  readonly #readsLeft: Set<ReadPlan>;
  /** Those to come, and those under way in a run of the engine, with which they end. */
  readonly #deeds: Map<Deed, Run | undefined>;

  constructor(plan: HoldingPlan, torrent: V2TestTorrent, world: World) {
    this.plan = plan;
    this.torrent = torrent;
    const all = Array.from({ length: torrent.info.pieceCount }, (_, piece) => piece);
    const { start } = plan;
    const isThere = (piece: number): boolean =>
      start === 'all' || (start !== 'none' && piece % start.of === start.rest);
    this.disk = new Disk(plan.disk, torrent, all.filter(isThere));
    this.orders = new Orders(torrent.info, plan.mode, world.clock);
    this.#knowsMetadata = !plan.isMagnet;
    this.#readsLeft = new Set(plan.reads);
    this.#deeds = new Map(plan.deeds.map((deed) => [deed, undefined]));
    for (const deed of plan.deeds) world.at(deed.atMs, () => this.#do(deed));
  }

  get needsMetadata(): boolean {
    return !this.#knowsMetadata;
  }

  /** Everything that can be expected of it is done. */
  get isDone(): boolean {
    if (this.#deedsLeft > 0) return false;
    if (this.hasFailed) return true;
    if (this.#readsLeft.size > 0) return false;
    return this.isAsleep || this.orders.selected.length === 0 || this.#running?.torrent.isDone === true;
  }

  /** It is whole, wanted by nobody, and so no more than a row. */
  get isAsleep(): boolean {
    const { torrent, run } = this.#running ?? {};
    const isRunning = torrent !== undefined && run?.isOver() === false && !torrent.isStopped;
    return this.plan.sleeps && !isRunning && this.disk.recorded.isComplete;
  }

  /** What is missing, for reports. */
  get missing(): string {
    const { recorded } = this.disk;
    const lacking = this.orders.selected.filter((piece) => !recorded.has(piece));
    return `${recorded.count} of ${recorded.length} pieces, lacks ${lacking.join(' ')}; ${this.#readsLeft.size} reads and ${this.#deedsLeft} deeds to do`;
  }

  /** The torrent was added to an engine. */
  running(torrent: Torrent, run: Run): void {
    this.#running = { torrent, run };
    if (this.orders.hasChoices) torrent.prioritize(this.orders.choices);
    torrent.events.on('metadata', () => (this.#knowsMetadata = true));
    torrent.events.on('verified', ({ piece }) => this.disk.recorded.set(piece));
    torrent.events.on('lost', ({ pieces }) => {
      for (const piece of pieces) this.disk.recorded.clear(piece);
    });
    torrent.events.on('checked', () => (this.disk.isSuspect = false));
    torrent.events.on('done', () => this.#onDone(torrent, run));
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

  #onDone(torrent: Torrent, { world, name }: Run): void {
    const lacking = torrent.isDone ? this.orders.selected.filter((piece) => !this.disk.holds(piece)) : [];
    world.referee.check(
      lacking.length === 0,
      'a node claims only what it holds',
      () => `${name} is done, its disk lacks ${lacking.join(' ')}`,
    );
  }

  #do(deed: Deed): void {
    const { torrent, run } = this.#running ?? {};
    if (torrent === undefined || run === undefined || run.isOver() || this.hasFailed) {
      order(deed, this.orders);
      this.#deeds.delete(deed);
      return;
    }
    const { orders, disk } = this;
    const { world, name } = run;
    this.#deeds.set(deed, run);
    perform(deed, { ...run, torrent, orders, disk })
      .catch((error: unknown) => world.referee.broken('no fault escapes', `${name} ${deed.what}: ${String(error)}`))
      .finally(() => this.#deeds.delete(deed));
  }

  get #deedsLeft(): number {
    return [...this.#deeds.values()].filter((run) => run === undefined || !run.isOver()).length;
  }

  #ended(error: unknown, run: Run): void {
    if (run.isOver() || this.hasFailed) return;
    this.hasFailed = this.#mayFail;
    if (this.#mayFail) return;
    run.world.referee.broken('a reader ends with its bytes or a typed error', `${run.name}: ${String(error)}`);
  }

  async #read(plan: ReadPlan, torrent: Torrent, { world, name, isOver }: Run): Promise<void> {
    const { orders } = this;
    if (await readAsPlanned(plan, { world, name, torrent, source: this.torrent, orders, isOver }))
      this.#readsLeft.delete(plan);
  }
}
