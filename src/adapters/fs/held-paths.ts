/**
 * The paths that torrents of this process serve or write. Invariant: nobody begins to write what another one holds.
 * Bounded by the open storages: each gives its paths back when it is closed.
 */
import { Conflict } from '../../base/errors.ts';

export class HeldPaths {
  /** How many hold the path. */
  readonly #holders = new Map<string, number>();

  /** Returns what gives the paths back, once. @throws Conflict where one that is to be written is held already */
  hold(paths: readonly string[], access: 'read' | 'write'): () => void {
    const held = access === 'write' ? paths.find((file) => this.#holders.has(file)) : undefined;
    if (held !== undefined)
      throw new Conflict(`${held} belongs to a torrent that is running; stop that one or choose another folder`, {
        file: held,
      });
    for (const file of paths) this.#holders.set(file, (this.#holders.get(file) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (isHeld) for (const file of paths) this.#giveBack(file);
      isHeld = false;
    };
  }

  #giveBack(file: string): void {
    const others = (this.#holders.get(file) ?? 0) - 1;
    if (others > 0) this.#holders.set(file, others);
    else this.#holders.delete(file);
  }
}

/** Those of this process: nodes beside each other share the disk. */
export const heldPaths = new HeldPaths();
