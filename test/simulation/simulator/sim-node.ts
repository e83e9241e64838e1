/** A simulated machine with an honest engine: it comes, goes, crashes and comes back with what is on its disk. */
import type { EngineInspection, TorrentInspection } from '../../../src/torrent/index.ts';
import type { MemoryHost } from '../../support/memory-network.ts';
import { Holding } from './holding.ts';
import { NodeLife } from './node-life.ts';
import type { ChangePlan, NodePlan } from './scenario.ts';
import type { WireAudit } from './wire-audit.ts';
import type { World } from './world.ts';

export class SimNode {
  readonly name: string;
  readonly holdings: readonly Holding[];
  /** Its books changed since the last audit. */
  isTouched = false;
  readonly #world: World;
  readonly #plan: NodePlan;
  readonly #machine: MemoryHost;
  #life: NodeLife | undefined;
  #leaving: Promise<void> | undefined;
  /** Counts joins and departures. */
  #changes = 0;

  constructor(world: World, plan: NodePlan, at: number) {
    this.name = `n${at}`;
    this.#world = world;
    this.#plan = plan;
    this.#machine = world.network.addHost(`10.1.${at >> 8}.${at & 255}`, plan.host);
    world.honestHosts.add(this.#machine.host);
    this.holdings = plan.holdings.flatMap((holding) => {
      const torrent = world.torrents[holding.torrent];
      return torrent === undefined ? [] : [new Holding(holding, torrent, world)];
    });
    for (const change of plan.changes) world.at(change.atMs, () => this.#change(change));
  }

  get isDone(): boolean {
    return this.#life !== undefined && this.holdings.every((holding) => holding.isDone);
  }

  get audits(): readonly WireAudit[] {
    return this.#life?.audits ?? [];
  }

  get missing(): string {
    const lacking = this.holdings.map(({ missing }) => missing).join('; ');
    return `${this.name}: ${lacking}\n${this.#life === undefined ? 'away' : describeBooks(this.#life.engine.inspect())}`;
  }

  audit(): void {
    this.isTouched = false;
    this.#life?.audit();
  }

  /** Leaves for good; resolves when it is gone. */
  async leave(): Promise<void> {
    const life = this.#life;
    this.#life = undefined;
    this.#changes++;
    if (life !== undefined) this.#leaving = life.leave();
    await this.#leaving;
    this.#world.referee.note(`${this.name} is gone`);
  }

  #change({ what }: ChangePlan): void {
    this.#world.referee.note(`${this.name} ${what}`);
    if (what === 'join') this.#join();
    else if (what === 'leave') this.#detached(this.leave());
    else {
      this.#life?.die(what);
      this.#life = undefined;
      this.#changes++;
    }
  }

  /** Begins a life once the one before has left, unless it is to go again by then: a machine has one life at a time. */
  #join(): void {
    const change = ++this.#changes;
    this.#detached(
      (async () => {
        await this.#leaving;
        if (change !== this.#changes) return;
        this.#life = new NodeLife({
          world: this.#world,
          name: this.name,
          machine: this.#machine,
          plan: this.#plan,
          holdings: this.holdings,
          touched: () => (this.isTouched = true),
        });
      })(),
    );
  }

  #detached(work: Promise<void>): void {
    work.catch((error: unknown) => this.#world.referee.broken('no fault escapes', `${this.name}: ${String(error)}`));
  }
}

/** What an engine that does not get on is waiting for, for reports. */
function describeBooks({ torrents, pieceBufferBytes, connections, dialling }: EngineInspection): string {
  const caps = `${connections} connections, ${dialling} dialling, ${pieceBufferBytes} bytes lent for pieces`;
  return [caps, ...torrents.map(describeTorrent)].join('\n');
}

function describeTorrent({ peers, content }: TorrentInspection): string {
  const crowd = peers.map(
    ({ address, asked, isChoking, amInterested, silentMs }) =>
      `${address?.host} asked ${asked.length}${isChoking ? ' chokes' : ''}${amInterested ? ' interesting' : ''} ${silentMs} ms`,
  );
  const pieces = content?.active.map(({ piece, blocks }) => `piece ${piece} begun: ${blocks.join(' ')}`) ?? [];
  const seeds = content?.webSeeds.map(({ label, asked }) => `${label}: ${asked.length} asked`) ?? [];
  const underWay = `checking ${content?.checking.join(' ')}; verified ${content?.verified.join(' ')}; ${content?.readers} readers`;
  return `  torrent: ${[...crowd, ...pieces, ...seeds, underWay].join('; ')}`;
}
