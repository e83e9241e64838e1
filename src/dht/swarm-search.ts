/**
 * Looks for peers of many swarms in the DHT, and announces those that want it: each at once, soon again while nobody was
 * reached, then every quarter of an hour, a few at a time, on one timer. After `stop` nothing is left.
 */
import type { PeerAddress } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import { DueQueue } from '../base/due-queue.ts';
import type { SwarmKey } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { TaskGroup } from '../base/tasks.ts';
import { MINUTE_MS, SECOND_MS } from '../base/units.ts';

const ROUND_MS = 15 * MINUTE_MS;
const FIRST_RETRY_MS = 2 * SECOND_MS;
const MAX_AT_ONCE = 4;

/** What a DHT node does for a search. */
export interface PeerSource {
  findPeers(
    key: SwarmKey,
    options: { readonly announcePort?: number; readonly signal: AbortSignal },
    found: (peers: readonly PeerAddress[]) => void,
  ): Promise<number>;
}

export interface SearchedSwarm {
  readonly key: SwarmKey;
  /** Asked each time: what is private must not be looked for. */
  readonly isAllowed: () => boolean;
  /** TCP port to announce; undefined: none. */
  readonly announcePort: number | undefined;
  readonly found: (peers: readonly PeerAddress[]) => void;
}

interface Course {
  readonly swarm: SearchedSwarm;
  readonly cancel: AbortController;
  /** Rounds in a row that reached nobody. */
  failures: number;
}

export interface SwarmSearchOptions {
  readonly nodes: readonly PeerSource[];
  readonly clock: Clock;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export class SwarmSearch {
  readonly #options: SwarmSearchOptions;
  readonly #tasks: TaskGroup;
  readonly #due: DueQueue<Course>;
  readonly #waiting = new Set<Course>();
  #running = 0;

  constructor(options: SwarmSearchOptions) {
    this.#options = options;
    this.#tasks = new TaskGroup(options.log);
    this.#due = new DueQueue(options.clock, (course) => this.#begin(course));
  }

  /** Looks for peers until what it returns is called. */
  add(swarm: SearchedSwarm): () => void {
    const course = { swarm, cancel: new AbortController(), failures: 0 };
    this.#due.set(course, this.#nowMs());
    return () => {
      course.cancel.abort();
      this.#due.delete(course);
      this.#waiting.delete(course);
    };
  }

  async stop(): Promise<void> {
    this.#due.clear();
    this.#waiting.clear();
    await this.#tasks.stop();
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  #begin(course: Course): void {
    if (this.#running >= MAX_AT_ONCE) {
      this.#waiting.add(course);
      return;
    }
    this.#running++;
    this.#tasks.run('dht.search', async (signal) => {
      const reached = await this.#search(course, signal).finally(() => this.#running--);
      this.#again(course, reached);
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      this.#begin(next);
    });
  }

  /** How many nodes were reached. */
  async #search({ swarm, cancel }: Course, stopping: AbortSignal): Promise<number> {
    if (!swarm.isAllowed() || cancel.signal.aborted) return 0;
    const signal = AbortSignal.any([cancel.signal, stopping]);
    const { announcePort } = swarm;
    const found = (peers: readonly PeerAddress[]): void => {
      if (swarm.isAllowed() && !signal.aborted) swarm.found(peers);
    };
    const asked = this.#options.nodes.map((node) =>
      node.findPeers(swarm.key, { signal, ...(announcePort !== undefined && { announcePort }) }, found),
    );
    return (await Promise.all(asked)).reduce((sum, reached) => sum + reached, 0);
  }

  #again(course: Course, reached: number): void {
    if (course.cancel.signal.aborted) return;
    course.failures = reached > 0 ? 0 : course.failures + 1;
    const pauseMs =
      reached > 0 ? ROUND_MS : Math.min(FIRST_RETRY_MS * 2 ** Math.min(course.failures - 1, 20), ROUND_MS);
    this.#due.set(course, this.#nowMs() + Math.round(pauseMs * (1 + this.#options.random() / 5)));
  }
}
