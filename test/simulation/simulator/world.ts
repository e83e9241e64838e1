/** What all machines of one simulation share: time, network, torrents, the tracker and the referee. */
import { swarmKeyOf, type SwarmKey } from '../../../src/base/ids.ts';
import type { PeerAddress } from '../../../src/torrent/index.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryNetwork } from '../../support/memory-network.ts';
import { makeTorrent, makeTorrentOf, type V2TestTorrent } from '../../support/swarm.ts';
import { Dice } from './dice.ts';
import { HashTruth } from './hash-truth.ts';
import { Referee } from './referee.ts';
import type { Scenario, TorrentPlan } from './scenario.ts';
import { Sky } from './sky.ts';

/** Addresses a tracker hands out at once. */
const ADDRESSES_PER_ANSWER = 12;

export class World {
  readonly scenario: Scenario;
  readonly clock: FakeClock;
  readonly network: MemoryNetwork;
  readonly referee: Referee;
  readonly dice: Dice;
  readonly torrents: readonly V2TestTorrent[];
  /** Of those with a v2 half, by their place. */
  readonly hashTruths: readonly (HashTruth | undefined)[];
  /** Hosts that keep to the rules. */
  readonly honestHosts = new Set<string>();
  readonly #announced: Map<string, PeerAddress>[];

  private constructor(scenario: Scenario, torrents: readonly V2TestTorrent[]) {
    this.scenario = scenario;
    this.torrents = torrents;
    this.hashTruths = torrents.map((torrent) => (torrent.hashes.v2 === undefined ? undefined : new HashTruth(torrent)));
    this.dice = new Dice(scenario.seed + 1);
    this.clock = new FakeClock();
    this.network = new MemoryNetwork(this.clock, new Sky(scenario.weather, this.clock, this.dice.fork()));
    this.referee = new Referee(this.clock);
    this.#announced = torrents.map(() => new Map());
  }

  static async create(scenario: Scenario): Promise<World> {
    const torrents: V2TestTorrent[] = [];
    for (const [at, plan] of scenario.torrents.entries())
      torrents.push(await torrentOf(plan, `${scenario.seed}/${at}`));
    return new World(scenario, torrents);
  }

  /** Every key of every torrent. */
  get swarmKeys(): SwarmKey[] {
    return this.torrents.flatMap(({ hashes: { v1, v2 } }) =>
      [v1, v2].flatMap((hash) => (hash === undefined ? [] : [swarmKeyOf(hash)])),
    );
  }

  /** Tells the tracker that somebody is there, and returns others. Nobody is ever forgotten, as with slow trackers. */
  announce(torrent: number, own: PeerAddress): PeerAddress[] {
    const swarm = this.#announced[torrent];
    if (swarm === undefined) return [];
    swarm.set(own.host, own);
    const others = [...swarm.values()].filter(({ host }) => host !== own.host);
    return this.dice.some(others, ADDRESSES_PER_ANSWER);
  }

  /** Whether the tracker ever heard of it. */
  isAnnounced({ host }: PeerAddress): boolean {
    return this.#announced.some((swarm) => swarm.has(host));
  }

  /** Runs `task` at that moment of virtual time. */
  at(atMs: number, task: () => void): void {
    this.clock.after(atMs - this.clock.monotonicMs(), task);
  }
}

async function torrentOf(plan: TorrentPlan, seed: string): Promise<V2TestTorrent> {
  const { format, isPrivate, sizeBytes, pieceLengthBytes, cuts } = plan;
  const borders = [0, ...cuts.map((cut) => Math.floor(cut * sizeBytes)), sizeBytes];
  const sizes = borders.slice(1).map((end, at) => end - (borders[at] ?? 0));
  if (format !== 'v1') return makeTorrentOf(format, sizes, pieceLengthBytes, { seed, isPrivate });
  const files = sizes.length === 1 ? undefined : sizes.map((lengthBytes) => ({ lengthBytes }));
  return {
    ...(await makeTorrent(sizeBytes, pieceLengthBytes, { seed, isPrivate, ...(files && { files }) })),
    pieceLayers: undefined,
  };
}
