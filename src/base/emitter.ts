/** A typed event source in a dozen lines: no wildcard, no once, no error channel. */
import type { Cancel } from './clock.ts';

/** Calls listeners by the name of what happens, in the turn in which it happens. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Calls `listener` for each event of that name until the returned function is called. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): Cancel {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) return;
    for (const listener of listeners) (listener as (event: Events[Name]) => void)(event);
  }

  removeAll(): void {
    this.#listeners.clear();
  }
}
