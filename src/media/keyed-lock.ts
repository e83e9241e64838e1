/** One task at a time per key, in the order they came; different keys do not wait for each other. */
export class KeyedLock<Key> {
  readonly #last = new Map<Key, Promise<void>>();

  async run<Result>(key: Key, task: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(key);
    const { promise: mine, resolve: release } = Promise.withResolvers<void>();
    this.#last.set(key, mine);
    await before;
    try {
      return await task();
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key);
      release();
    }
  }
}
