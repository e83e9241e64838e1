/**
 * Many things that each fall due at a time of their own, for one timer. Invariants: at most one timer runs, and only while
 * something waits; an item waits at most once; items that are due at the same time come in the order they were set.
 */
import type { Cancel, Clock } from './clock.ts';

interface Entry<Item> {
  readonly item: Item;
  readonly dueAtMs: number;
  readonly order: number;
}

export class DueQueue<Item> {
  readonly #clock: Clock;
  readonly #onDue: (item: Item) => void;
  /** A binary heap, the earliest first; entries that were set anew or deleted stay until they come up. */
  readonly #heap: Entry<Item>[] = [];
  readonly #current = new Map<Item, Entry<Item>>();
  #order = 0;
  #timer: { readonly atMs: number; readonly cancel: Cancel } | undefined;

  /** `onDue` is called once for each time an item was set; it may set it again. */
  constructor(clock: Clock, onDue: (item: Item) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#current.size;
  }

  /** Lets the item fall due at a monotonic time in ms, in place of any time before. */
  set(item: Item, dueAtMs: number): void {
    const entry = { item, dueAtMs, order: this.#order++ };
    this.#current.set(item, entry);
    this.#heap.push(entry);
    this.#rise(this.#heap.length - 1);
    if (this.#heap.length > 2 * this.#current.size + 64) this.#sweep();
    this.#schedule();
  }

  delete(item: Item): void {
    this.#current.delete(item);
    if (this.#current.size === 0) this.clear();
  }

  /** Nothing waits any more, and no timer runs. */
  clear(): void {
    this.#current.clear();
    this.#heap.length = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #schedule(): void {
    const [next] = this.#heap;
    if (next === undefined || (this.#timer !== undefined && this.#timer.atMs <= next.dueAtMs)) return;
    this.#timer?.cancel();
    const delayMs = Math.max(0, next.dueAtMs - this.#clock.monotonicMs());
    this.#timer = { atMs: next.dueAtMs, cancel: this.#clock.after(delayMs, () => this.#fire()) };
  }

  #fire(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    const setLater = this.#order; // what is set meanwhile waits for the next timer, however soon
    for (let next = this.#heap[0]; next !== undefined && next.dueAtMs <= nowMs; next = this.#heap[0]) {
      if (next.order >= setLater) break;
      this.#removeFirst();
      if (this.#current.get(next.item) !== next) continue;
      this.#current.delete(next.item);
      this.#onDue(next.item);
    }
    this.#schedule();
  }

  #sweep(): void {
    const entries = this.#heap.filter((entry) => this.#current.get(entry.item) === entry).sort(compare);
    this.#heap.splice(0, this.#heap.length, ...entries);
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(from: number): void {
    for (let at = from; at > 0;) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfLater(parent, at)) return;
      at = parent;
    }
  }

  #sink(from: number): void {
    for (let at = from; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const child = this.#isLater(left, right) ? right : left;
      if (!this.#swapIfLater(at, child)) return;
      at = child;
    }
  }

  #swapIfLater(first: number, second: number): boolean {
    const [one, other] = [this.#heap[first], this.#heap[second]];
    if (one === undefined || other === undefined || compare(one, other) <= 0) return false;
    this.#heap[first] = other;
    this.#heap[second] = one;
    return true;
  }

  /** Whether the entry at `first` comes after that at `second`, where both are. */
  #isLater(first: number, second: number): boolean {
    const [one, other] = [this.#heap[first], this.#heap[second]];
    return one !== undefined && other !== undefined && compare(one, other) > 0;
  }
}

function compare(one: Entry<unknown>, other: Entry<unknown>): number {
  return one.dueAtMs - other.dueAtMs || one.order - other.order;
}
