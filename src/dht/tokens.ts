/**
 * Write tokens (BEP 5): whoever announces proves that it can hear at its address. Nothing is stored per asker; a token
 * holds for five to ten minutes.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { randomBytes, utf8 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { MINUTE_MS } from '../base/units.ts';

const SECRET_MS = 5 * MINUTE_MS;
const TOKEN_BYTES = 8;

export class Tokens {
  readonly #clock: Clock;
  #current = randomBytes(20);
  #previous = randomBytes(20);
  #sinceMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  /** 8 bytes for the IP literal `host`. */
  issue(host: string): Uint8Array {
    this.#rotate();
    return tokenOf(this.#current, host);
  }

  accepts(token: Uint8Array, host: string): boolean {
    this.#rotate();
    if (token.length !== TOKEN_BYTES) return false;
    return [this.#current, this.#previous].some((secret) => timingSafeEqual(token, tokenOf(secret, host)));
  }

  #rotate(): void {
    const ageMs = this.#clock.monotonicMs() - this.#sinceMs;
    if (ageMs < SECRET_MS) return;
    this.#previous = ageMs < 2 * SECRET_MS ? this.#current : randomBytes(20);
    this.#current = randomBytes(20);
    this.#sinceMs += Math.floor(ageMs / SECRET_MS) * SECRET_MS;
  }
}

function tokenOf(secret: Uint8Array, host: string): Uint8Array {
  return createHash('sha256').update(secret).update(utf8(host)).digest().subarray(0, TOKEN_BYTES);
}
