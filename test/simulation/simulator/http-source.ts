/** Web seeds of a simulation: honest, slow, or broken in one of the ways servers break. */
import type { Clock } from '../../../src/base/clock.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { sleep } from '../../../src/base/tasks.ts';
import { HOUR_MS } from '../../../src/base/units.ts';
import type { RangeSource } from '../../../src/torrent/ports.ts';
import type { Dice } from './dice.ts';

export interface HttpPlan {
  readonly kind: 'honest' | 'stalls' | 'lies' | 'fails' | 'ends early';
  readonly delayMs: number;
  readonly bytesPerSecond: number;
}

export interface HttpParts {
  readonly bytes: Uint8Array;
  readonly clock: Clock;
  readonly dice: Dice;
  /** Called for each request. */
  readonly fetches: (start: number, endExclusive: number) => void;
  /** Called for each chunk. */
  readonly came: (sizeBytes: number) => void;
}

const CHUNK_BYTES = 16_000;

export class HttpSource implements RangeSource {
  readonly label: string;
  readonly plan: HttpPlan;
  readonly #bytes: Uint8Array;
  readonly #clock: Clock;
  readonly #dice: Dice;
  readonly #fetches: HttpParts['fetches'];
  readonly #came: HttpParts['came'];

  constructor(label: string, plan: HttpPlan, parts: HttpParts) {
    this.label = label;
    this.plan = plan;
    this.#bytes = parts.bytes;
    this.#clock = parts.clock;
    this.#dice = parts.dice;
    this.#fetches = parts.fetches;
    this.#came = parts.came;
  }

  async *fetch(start: number, endExclusive: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    this.#fetches(start, endExclusive);
    const { kind, delayMs, bytesPerSecond } = this.plan;
    const breaksAt = this.#dice.int(start, endExclusive);
    await sleep(this.#clock, delayMs, signal);
    for (let at = start; at < endExclusive; at += CHUNK_BYTES) {
      const end = Math.min(endExclusive, at + CHUNK_BYTES);
      const breaks = end >= breaksAt && kind !== 'honest';
      if (breaks && kind === 'fails') throw new ProtocolError('503');
      if (breaks && kind === 'ends early') return;
      if (breaks && kind === 'stalls') await sleep(this.#clock, HOUR_MS, signal);
      await sleep(this.#clock, Math.ceil(((end - at) / bytesPerSecond) * 1000), signal);
      const chunk = this.#bytes.slice(at, end);
      if (breaks && kind === 'lies') chunk.fill(0x5a);
      this.#came(chunk.length);
      yield chunk;
    }
  }
}
