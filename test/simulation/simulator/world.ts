/** What all machines of one simulation share: time, network, torrents, the tracker and the referee. */
import type { PeerAddress } from '../../../src/torrent/index.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryNetwork } from '../../support/memory-network.ts';
import { makeTorrent, type TestTorrent } from '../../support/swarm.ts';
import { Dice } from './dice.ts';
import { Referee } from './referee.ts';
import type { Scenario } from './scenario.ts';
import { Sky } from './sky.ts';

/** Addresses a tracker hands out at once. */
const ADDRESSES_PER_ANSWER = 12;

export class World {
  readonly scenario: Scenario;
  readonly clock: FakeClock;
  readonly network: MemoryNetwork;
  readonly referee: Referee;
  readonly dice: Dice;
  readonly torrents: readonly TestTorrent[];
  /** Hosts that keep to the rules. */
  readonly honestHosts = new Set<string>();
  readonly #announced: Map<string, PeerAddress>[];

  private constructor(scenario: Scenario, torrents: readonly TestTorrent[]) {
    this.scenario = scenario;
    this.torrents = torrents;
    this.dice = new Dice(scenario.seed + 1);
    this.clock = new FakeClock();
    this.network = new MemoryNetwork(this.clock, new Sky(scenario.weather, this.clock, this.dice.fork()));
    this.referee = new Referee(this.clock);
    this.#announced = torrents.map(() => new Map());
  }

  static async create(scenario: Scenario): Promise<World> {
    const torrents: TestTorrent[] = [];
    for (const [at, plan] of scenario.torrents.entries()) {
      const options = { seed: `${scenario.seed}/${at}`, isPrivate: plan.isPrivate };
      torrents.push(await makeTorrent(plan.sizeBytes, plan.pieceLengthBytes, options));
    }
    return new World(scenario, torrents);
  }

  /** Tells the tracker that somebody is there, and returns others. Nobody is ever forgotten, as with slow trackers. */
  announce(torrent: number, own: PeerAddress): PeerAddress[] {
    const swarm = this.#announced[torrent];
    if (swarm === undefined) return [];
    swarm.set(own.host, own);
    const others = [...swarm.values()].filter(({ host }) => host !== own.host);
    return this.dice.some(others, ADDRESSES_PER_ANSWER);
  }

  /** Runs `task` at that moment of virtual time. */
  at(atMs: number, task: () => void): void {
    this.clock.after(atMs - this.clock.monotonicMs(), task);
  }
}
