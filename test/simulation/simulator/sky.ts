/**
 * The weather of a simulated network: each pair of hosts has its own distance, speed and reliability, and now and then
 * the network falls into two halves. Invariant: what it does depends on the dice alone, and every partition ends.
 */
import type { Clock } from '../../../src/base/clock.ts';
import type { Weather } from '../../support/memory-network.ts';
import type { Dice } from './dice.ts';

export interface WeatherPlan {
  /** Extra delay of a chunk: uniform up to this. */
  readonly jitterMs: number;
  /** Share of chunks that are lost once, so that the stream stands still until they are sent again. */
  readonly lossRate: number;
  readonly retransmitMs: number;
  /** Range of link speeds in bytes per second. */
  readonly linkBytesPerSecond: readonly [number, number];
  readonly partitions: readonly { readonly fromMs: number; readonly untilMs: number; readonly salt: number }[];
}

export class Sky implements Weather {
  readonly #plan: WeatherPlan;
  readonly #clock: Clock;
  readonly #dice: Dice;
  readonly #speeds = new Map<string, number>();

  constructor(plan: WeatherPlan, clock: Clock, dice: Dice) {
    this.#plan = plan;
    this.#clock = clock;
    this.#dice = dice;
  }

  delayMs(): number {
    const { jitterMs, lossRate, retransmitMs } = this.#plan;
    const delayMs = Math.round(this.#dice.next() * jitterMs);
    return this.#dice.chance(lossRate) ? delayMs + retransmitMs : delayMs;
  }

  bytesPerSecond(from: string, to: string): number {
    const key = `${from}>${to}`;
    const known = this.#speeds.get(key);
    if (known !== undefined) return known;
    const [slowest, fastest] = this.#plan.linkBytesPerSecond;
    const speed = this.#dice.int(slowest, fastest);
    this.#speeds.set(key, speed);
    return speed;
  }

  blockedMs(from: string, to: string): number {
    const nowMs = this.#clock.monotonicMs();
    for (const { fromMs, untilMs, salt } of this.#plan.partitions)
      if (nowMs >= fromMs && nowMs < untilMs && sideOf(from, salt) !== sideOf(to, salt)) return untilMs - nowMs;
    return 0;
  }
}

/** Which half of the network a host is in. */
function sideOf(host: string, salt: number): boolean {
  let mixed = salt;
  for (let at = 0; at < host.length; at++) mixed = Math.imul(mixed ^ host.charCodeAt(at), 0x5bd1e995) >>> 0;
  return ((mixed >>> 13) & 1) === 1;
}
