/**
 * Connection ids of BEP 15 without a table: the low byte of the epoch, then 56 bits of SHA-256 over a secret, the epoch
 * and the address. Ids hold for their own epoch and the next, one to two minutes.
 */
import { hash, randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { MINUTE_MS } from '../../base/units.ts';
import type { ConnectionIds } from '../../tracker/ports.ts';

const EPOCH_MS = MINUTE_MS;
const SECRET_BYTES = 32;
const ID_BYTES = 8;

export class KeyedConnectionIds implements ConnectionIds {
  readonly #clock: Clock;
  /** Secret, epoch (8 bytes), address (16 bytes). */
  readonly #input = Buffer.alloc(SECRET_BYTES + 8 + 16);

  constructor(clock: Clock) {
    this.#clock = clock;
    randomBytes(SECRET_BYTES).copy(this.#input);
  }

  issue(ip: Uint8Array): Uint8Array {
    return this.#idFor(ip, this.#epoch());
  }

  accepts(connectionId: Uint8Array, ip: Uint8Array): boolean {
    if (connectionId.length !== ID_BYTES) return false;
    const now = this.#epoch();
    const epoch = (connectionId[0] ?? 0) === (now & 0xff) ? now : now - 1;
    return epoch >= 0 && this.#idFor(ip, epoch).equals(connectionId);
  }

  #epoch(): number {
    return Math.floor(this.#clock.monotonicMs() / EPOCH_MS);
  }

  #idFor(ip: Uint8Array, epoch: number): Buffer {
    this.#input.writeDoubleBE(epoch, SECRET_BYTES);
    this.#input.fill(0, SECRET_BYTES + 8);
    this.#input.set(ip, SECRET_BYTES + 8);
    const id = hash('sha256', this.#input, 'buffer').subarray(0, ID_BYTES);
    id[0] = epoch & 0xff;
    return id;
  }
}
