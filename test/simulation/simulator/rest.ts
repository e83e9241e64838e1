/**
 * Torrents of one machine that are a row in a database until somebody asks for them, and again when nobody does.
 * Invariant: when a torrent has gone to sleep, nothing of it runs and its storage is closed.
 */
import type { Clock } from '../../../src/base/clock.ts';
import type { SwarmKey } from '../../../src/base/ids.ts';
import { sleep } from '../../../src/base/tasks.ts';
import { SECOND_MS } from '../../../src/base/units.ts';
import { obfuscatedKey } from '../../../src/codec/mse.ts';
import type { Engine, Torrent } from '../../../src/torrent/index.ts';
import { areEqual } from './compare.ts';
import type { Dice } from './dice.ts';
import { eavesdropping } from './encryption.ts';
import type { Holding } from './holding.ts';
import type { Referee } from './referee.ts';

/** One look into the database. */
const SLOWEST_LOOKUP_MS = 50;
const LOOK_MS = 5 * SECOND_MS;

export interface RestParts {
  readonly name: string;
  /** The machine's. */
  readonly clock: Clock;
  /** Looks of the simulation itself are no timers of the machine. */
  readonly worldClock: Clock;
  readonly dice: Dice;
  readonly referee: Referee;
  /** Of those that sleep at times, by each of their keys. */
  readonly holdings: ReadonlyMap<SwarmKey, Holding>;
  readonly engine: () => Engine;
  /** Adds it to the engine. */
  readonly add: (holding: Holding) => Torrent;
  /** Accesses of the holding's storage that have not ended, and whether it is closed. */
  readonly storageOf: (holding: Holding) => { readonly isClosed: boolean; readonly running: number } | undefined;
  readonly isOver: () => boolean;
}

export class Rest {
  readonly #parts: RestParts;

  constructor(parts: RestParts) {
    this.#parts = parts;
  }

  /** Starts the torrent that somebody asks for; undefined where there is none. */
  async wake(key: SwarmKey): Promise<Torrent | undefined> {
    const { holdings, engine, add, isOver } = this.#parts;
    await this.#lookUp();
    const holding = holdings.get(key);
    if (holding === undefined || isOver()) return undefined;
    const running = engine().get(key);
    if (running !== undefined) return running;
    const torrent = add(holding);
    this.#watch(holding, torrent);
    return torrent;
  }

  /** The key that an encrypted handshake means. */
  async resolve(obfuscated: Uint8Array): Promise<SwarmKey | undefined> {
    await this.#lookUp();
    return [...this.#parts.holdings.keys()].find((key) => areEqual(obfuscatedKey(eavesdropping, key), obfuscated));
  }

  #lookUp(): Promise<void> {
    const { clock, dice } = this.#parts;
    return sleep(clock, dice.int(0, SLOWEST_LOOKUP_MS));
  }

  /** Lets the torrent sleep when it has been without peers at two looks in a row. */
  #watch(holding: Holding, torrent: Torrent, wasIdle = false): void {
    const { worldClock, name, referee, isOver } = this.#parts;
    worldClock.after(LOOK_MS, () => {
      if (isOver() || torrent.isStopped) return;
      const isIdle = torrent.peerCount === 0;
      if (!isIdle || !wasIdle) return this.#watch(holding, torrent, isIdle);
      this.#putToSleep(holding, torrent).catch((error: unknown) =>
        referee.broken('no fault escapes', `${name} going to sleep: ${String(error)}`),
      );
    });
  }

  async #putToSleep(holding: Holding, torrent: Torrent): Promise<void> {
    const { name, referee, engine, storageOf } = this.#parts;
    const keys = [...torrent.keys];
    referee.note(`${name} lets a torrent sleep`);
    const storage = storageOf(holding);
    await torrent.stop();
    const isNothing =
      storage?.isClosed === true && storage.running === 0 && keys.every((key) => engine().get(key) !== torrent);
    referee.check(isNothing, 'after stop nothing is left', () => `${name}: of a torrent that sleeps`);
  }
}
