/**
 * Announces in the DHT what the server is seeding: torrents that are awake, found as they wake and let go as they sleep.
 * What sleeps is not announced: a million rows would be a million lookups.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { TaskGroup } from '../../base/tasks.ts';
import { SECOND_MS } from '../../base/units.ts';
import type { Dht } from '../../kit/node/dht.ts';
import type { Engine, Torrent } from '../../torrent/index.ts';

const LOOK_MS = 15 * SECOND_MS;
const MAX_TORRENTS = 2_000;

export class DhtSeeding implements AsyncDisposable {
  readonly #engine: Pick<Engine, 'torrents'>;
  readonly #dht: Pick<Dht, 'find'>;
  readonly #peerPort: number;
  readonly #tasks: TaskGroup;
  readonly #announced = new Map<Torrent, () => void>();

  /** `peerPort`: TCP, where peers reach the engine. */
  constructor(
    {
      engine,
      dht,
      peerPort,
    }: { readonly engine: Pick<Engine, 'torrents'>; readonly dht: Pick<Dht, 'find'>; readonly peerPort: number },
    { clock, log }: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#engine = engine;
    this.#dht = dht;
    this.#peerPort = peerPort;
    this.#tasks = new TaskGroup(log);
    this.#tasks.every('dht.seeding', LOOK_MS, clock, () => Promise.resolve(this.#look()));
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
    for (const torrent of this.#engine.torrents) {
      if (this.#announced.size >= MAX_TORRENTS) return;
      if (this.#announced.has(torrent) || torrent.info?.isPrivate !== false) continue;
      this.#announced.set(torrent, this.#dht.find(torrent, this.#peerPort));
    }
  }
}
