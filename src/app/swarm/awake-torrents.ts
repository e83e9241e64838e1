/**
 * Announces what the server is seeding, in the DHT or the local network: torrents that are awake, found as they wake and let
 * go as they sleep. What sleeps is not announced: a million rows would be a million lookups. Private torrents never are.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { TaskGroup } from '../../base/tasks.ts';
import { SECOND_MS } from '../../base/units.ts';
import type { Engine, Torrent } from '../../torrent/index.ts';

const LOOK_MS = 15 * SECOND_MS;
const MAX_TORRENTS = 2_000;

export interface AwakeTorrentsOptions {
  readonly engine: Pick<Engine, 'torrents'>;
  /** Announces a torrent until what it returns is called. */
  readonly announce: (torrent: Torrent) => () => void;
  readonly clock: Clock;
  readonly log: Log;
}

export class AwakeTorrents implements AsyncDisposable {
  readonly #options: AwakeTorrentsOptions;
  readonly #tasks: TaskGroup;
  readonly #announced = new Map<Torrent, () => void>();

  constructor(options: AwakeTorrentsOptions) {
    this.#options = options;
    this.#tasks = new TaskGroup(options.log);
    this.#tasks.every('swarm.awake', LOOK_MS, options.clock, () => Promise.resolve(this.#look()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tasks.stop();
    for (const leave of this.#announced.values()) leave();
  }

  #look(): void {
    for (const [torrent, leave] of this.#announced) {
      if (!torrent.isStopped) continue;
      leave();
      this.#announced.delete(torrent);
    }
    for (const torrent of this.#options.engine.torrents) {
      if (this.#announced.size >= MAX_TORRENTS) return;
      if (this.#announced.has(torrent) || torrent.info?.isPrivate !== false) continue;
      this.#announced.set(torrent, this.#options.announce(torrent));
    }
  }
}
