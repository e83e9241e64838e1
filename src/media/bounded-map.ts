/** A map of at most so many entries; the least recently used goes first. */
export class BoundedMap<Key, Value> {
  readonly #entries = new Map<Key, Value>();
  readonly #maxEntries: number;
  readonly #dropped: (value: Value) => void;

  /** `dropped` is called for what the bound pushes out, not for what is deleted. */
  constructor(maxEntries: number, dropped: (value: Value) => void = () => undefined) {
    this.#maxEntries = maxEntries;
    this.#dropped = dropped;
  }

  get(key: Key): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: Key, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    for (const [oldest, pushedOut] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries) return;
      this.#entries.delete(oldest);
      this.#dropped(pushedOut);
    }
  }

  delete(key: Key): Value | undefined {
    const value = this.#entries.get(key);
    this.#entries.delete(key);
    return value;
  }

  clear(): readonly Value[] {
    const values = [...this.#entries.values()];
    this.#entries.clear();
    return values;
  }
}
