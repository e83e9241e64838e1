/**
 * What goes when the disk turns out to be full under a write. Invariant: media whose writes wait for room are not given up
 * for each other. Giving one up means waiting for its writes to end, and each would wait for the other. One is given up at a
 * time, and all who wait wait for it.
 */
import type { KeptTorrent, StorageBudget } from '../../../src/adapters/browser/storage-budget.ts';
import type { InfoHashV1 } from '../../../src/base/ids.ts';

export interface FullDiskParts {
  readonly budget: Pick<StorageBudget, 'evictWhenFull'>;
  /** Everything that is stored. */
  readonly kept: () => readonly KeptTorrent<InfoHashV1>[];
  /** Stops the medium, which waits for its writes, and frees its space. */
  readonly giveUp: (infoHash: InfoHashV1) => Promise<void>;
}

export class FullDisk {
  readonly #parts: FullDiskParts;
  /** Media whose writes wait for room. */
  readonly #waiting = new Set<InfoHashV1>();
  /** What is being given up, and its end. */
  #leaving: { readonly infoHash: InfoHashV1; readonly ended: Promise<void> } | undefined;

  constructor(parts: FullDiskParts) {
    this.#parts = parts;
  }

  /** Whether a write of it waits for room: it must not be given up for others. */
  isWaiting(infoHash: InfoHashV1): boolean {
    return this.#waiting.has(infoHash);
  }

  /** For a write of this medium: true once another was given up; false when none may go, or this one is going itself. */
  async giveWayTo(infoHash: InfoHashV1): Promise<boolean> {
    if (this.#leaving?.infoHash === infoHash) return false;
    this.#waiting.add(infoHash);
    try {
      const ended = this.#leaving?.ended ?? this.#giveUpNext();
      await ended;
      return ended !== undefined;
    } finally {
      this.#waiting.delete(infoHash);
    }
  }

  /** Undefined when none may go. */
  #giveUpNext(): Promise<void> | undefined {
    const { budget, kept, giveUp } = this.#parts;
    const infoHash = budget.evictWhenFull(kept().filter(({ key }) => !this.isWaiting(key)));
    if (infoHash === undefined) return undefined;
    const ended = giveUp(infoHash).finally(() => (this.#leaving = undefined));
    this.#leaving = { infoHash, ended };
    return ended;
  }
}
