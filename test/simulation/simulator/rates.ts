/**
 * Rate limits of a swarm: of engines, torrents and addresses, both ways, some of them changed while they hold. Drawn from
 * dice of their own, so that a seed keeps all else. Invariant: no limit of 0 lasts, and those who keep a torrent alive
 * give it away at a bearable speed.
 */
import { KIB, SECOND_MS } from '../../../src/base/units.ts';
import type { AddressRateLimits, RateLimits } from '../../../src/torrent/index.ts';
import { Dice } from './dice.ts';
import { RATE_HOSTILE_KINDS } from './rate-hostiles.ts';
import type { HoldingPlan, HostilePlan, NodePlan, Scenario } from './scenario.ts';

/** Keeps these dice apart from all others. */
const SALT = 0x4a7e5;
const UNLIMITED = Number.POSITIVE_INFINITY;
/** Changes are over by then. */
const RESTLESS_MS = 60 * SECOND_MS;
/** In a crowd all get what they need from few. */
const CROWD_NODES = 16;

/** Limits from a moment on. */
export interface RatePlan<Limits> {
  readonly atMs: number;
  readonly limits: Limits;
}

type EngineRates = RateLimits & AddressRateLimits;

/** What holds at a moment, all changes so far together. */
export function ratesAt<Limits extends object>(plans: readonly RatePlan<Limits>[], nowMs: number): Partial<Limits> {
  const all: Partial<Limits> = {};
  for (const { atMs, limits } of plans) if (atMs <= nowMs) Object.assign(all, limits);
  return all;
}

/** The scenario with rate limits, in four of ten swarms. */
export function withRates(scenario: Scenario): Scenario {
  return new Rates(scenario).scenario();
}

class Rates {
  readonly #plain: Scenario;
  readonly #dice: Dice;

  constructor(plain: Scenario) {
    this.#plain = plain;
    this.#dice = new Dice(plain.seed ^ SALT);
  }

  scenario(): Scenario {
    if (!this.#dice.chance(0.4)) return this.#plain;
    const nodes = this.#plain.nodes.map((node) => this.#node(node));
    return { ...this.#plain, nodes, hostile: [...this.#plain.hostile, ...this.#hostile(nodes)] };
  }

  #node(node: NodePlan): NodePlan {
    const dice = this.#dice;
    const isAnchor = node.holdings.some((holding) => holding.isAnchor);
    const engine = dice.chance(0.4) ? this.#changing(() => this.#both(isAnchor)) : [];
    const addresses = dice.chance(0.4) ? this.#changing(() => perAddress(this.#both(isAnchor))) : [];
    return {
      ...node,
      rates: [...engine, ...addresses].toSorted((a, b) => a.atMs - b.atMs),
      holdings: node.holdings.map((holding) => this.#holding(holding)),
    };
  }

  #holding(holding: HoldingPlan): HoldingPlan {
    if (!this.#dice.chance(0.3)) return holding;
    return { ...holding, rates: this.#changing(() => this.#both(holding.isAnchor)) };
  }

  /** From the start or later, and with a few changes; none at all in the end, or at least no 0. */
  #changing<Limits extends object>(draw: () => Limits): RatePlan<Limits>[] {
    const dice = this.#dice;
    const times = Array.from({ length: dice.int(0, 3) }, () => dice.int(0, RESTLESS_MS)).toSorted((a, b) => a - b);
    const plans = [...(dice.chance(0.6) ? [0] : []), ...times].map((atMs) => ({ atMs, limits: draw() }));
    const last = ratesAt(plans, UNLIMITED);
    const stopped = Object.entries(last).filter(([, rate]) => rate === 0);
    if (stopped.length === 0) return plans;
    const limits = Object.fromEntries(stopped.map(([name]) => [name, 100_000])) as Limits;
    return [...plans, { atMs: RESTLESS_MS + 1, limits }];
  }

  #both(isAnchor: boolean): RateLimits {
    const dice = this.#dice;
    const isCrowd = this.#plain.nodes.length >= CROWD_NODES;
    const rate = (isSlow: boolean): number =>
      dice.pick([...(isSlow ? [0, 20_000, 40_000] : []), 100_000, 100_000, 250_000, 1_000 * KIB, UNLIMITED]);
    return {
      ...(dice.chance(0.6) && { uploadBytesPerSecond: rate(!isAnchor && !isCrowd) }),
      ...(dice.chance(0.7) && { downloadBytesPerSecond: rate(!isCrowd) }),
    };
  }

  /** Some want more than their address's share. */
  #hostile(nodes: readonly NodePlan[]): HostilePlan[] {
    const dice = this.#dice;
    const isTempting = nodes.some(({ rates }) =>
      rates.some(({ limits }) => (limits.uploadBytesPerSecondPerAddress ?? UNLIMITED) < UNLIMITED),
    );
    if (!isTempting || nodes.length >= CROWD_NODES || !dice.chance(0.5)) return [];
    return [
      {
        kind: dice.pick(RATE_HOSTILE_KINDS),
        torrent: 0,
        host: {
          latencyMs: dice.pick([1, 20]),
          uploadBytesPerSecond: 500 * KIB,
          ...(this.#plain.nodes[0]?.host.transport && { transport: this.#plain.nodes[0].host.transport }),
        },
        joinsAtMs: dice.int(0, 15 * SECOND_MS),
      },
    ];
  }
}

function perAddress({ uploadBytesPerSecond, downloadBytesPerSecond }: RateLimits): EngineRates {
  return {
    ...(uploadBytesPerSecond !== undefined && { uploadBytesPerSecondPerAddress: uploadBytesPerSecond }),
    ...(downloadBytesPerSecond !== undefined && { downloadBytesPerSecondPerAddress: downloadBytesPerSecond }),
  };
}
