/**
 * Who is sending to an upload right now (tus wants one writer). A sender that still makes progress keeps the upload and
 * others get 409; one that has stalled (a dead Wi-Fi line leaves a half-open connection) gives way to its successor.
 */
import type { Lock, Locker } from '@tus/server';
import type { Clock } from '../../base/clock.ts';
import { Conflict } from '../../base/errors.ts';
import { SECOND_MS } from '../../base/units.ts';

/** A sender that waited so long for its client counts as stalled. */
export const STALLED_AFTER_MS = 3 * SECOND_MS;
/** How long a successor waits for the bytes of a stalled sender to be synced. */
const SETTLE_MS = 10 * SECOND_MS;

/** A request that wants to hold an upload. */
export interface Holder {
  /** How long it has been waiting for its client; 0 while it works. */
  waitingMs(): number;
  /** Ends its connection; what it received is kept. */
  interrupt(): void;
  /** Takes the upload away from a sender even if that one makes progress (the owner cancels). */
  readonly isForceful: boolean;
}

interface Held {
  readonly holder: Holder;
  readonly released: PromiseWithResolvers<void>;
}

export class UploadLocks {
  readonly #held = new Map<string, Held>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Interrupts a stalled sender of the upload and waits until its bytes are recorded; others are left alone. */
  async settle(id: string): Promise<void> {
    const held = this.#held.get(id);
    if (held !== undefined && held.holder.waitingMs() >= STALLED_AFTER_MS) await this.#end(held);
  }

  /** @throws Conflict while somebody else sends. */
  async take(id: string, holder: Holder): Promise<void> {
    const held = this.#held.get(id);
    if (held !== undefined) {
      if (!holder.isForceful && held.holder.waitingMs() < STALLED_AFTER_MS) throw busy();
      await this.#end(held);
      if (this.#held.has(id)) throw busy();
    }
    this.#held.set(id, { holder, released: Promise.withResolvers() });
  }

  give(id: string, holder: Holder): void {
    const held = this.#held.get(id);
    if (held?.holder !== holder) return;
    this.#held.delete(id);
    held.released.resolve();
  }

  async #end(held: Held): Promise<void> {
    held.holder.interrupt();
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(SETTLE_MS, resolve);
    await Promise.race([held.released.promise, promise]);
    cancel();
  }
}

function busy(): Conflict {
  return new Conflict('another request is sending to this upload; ask for its offset and try again');
}

/** The locks as @tus/server wants them; `current` is the request being handled, a HEAD only settles. */
export function lockerOf(
  locks: UploadLocks,
  current: () => { readonly holder: Holder; readonly isReading: boolean },
): Locker {
  return {
    newLock(id: string): Lock {
      const { holder, isReading } = current();
      return {
        lock: async () => await (isReading ? locks.settle(id) : locks.take(id, holder)),
        unlock: async () => locks.give(id, holder),
      };
    },
  };
}
