/**
 * The connections of one answerer or offerer: the references that keep the native objects alive, the cap, and an orderly
 * end.
 */
import { Unavailable } from '../../base/errors.ts';

interface Closable {
  close(): void;
}

export class LiveConnections {
  readonly #max: number;
  readonly #live = new Set<Closable>();
  readonly #waiting = new Set<() => void>();
  #stopped = false;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#live.size;
  }

  /** @throws Unavailable at the cap or when stopped. */
  demandRoom(): void {
    if (this.#stopped || this.#live.size >= this.#max)
      throw new Unavailable('no room for another WebRTC connection', { connections: this.#live.size });
  }

  add(connection: Closable): void {
    this.#live.add(connection);
  }

  delete(connection: Closable): void {
    this.#live.delete(connection);
    if (this.#live.size > 0) return;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Admits nothing more, closes all, resolves when the last one is gone. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const connection of this.#live) connection.close();
    if (this.#live.size > 0) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }
}
