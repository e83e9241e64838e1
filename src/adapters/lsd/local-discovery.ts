/**
 * Finds peers in the same network (BEP 14) by multicast that routers do not pass on, over IPv4 and IPv6. Each torrent is
 * announced every five minutes, many in one packet, at most one round a minute. Invariants: private torrents are neither
 * announced nor fed; our own packets are known by their cookie; packets of others are taken at a bounded rate, for each
 * neighbour and in all; after `stop` nothing is left.
 */
import { networkInterfaces } from 'node:os';
import type { PeerAddress } from '../../base/address.ts';
import { randomBytes, toHex } from '../../base/bytes.ts';
import type { Cancel, Clock } from '../../base/clock.ts';
import { AppError, Unavailable } from '../../base/errors.ts';
import { FairRate } from '../../base/fair-rate.ts';
import type { SwarmKey } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import { MINUTE_MS } from '../../base/units.ts';
import { decodeLsd, encodeLsd, MAX_LSD_KEYS } from '../../codec/lsd.ts';
import { MulticastGroup, placesFor } from './multicast-group.ts';

const PORT = 6_771;
const ROUND_MS = MINUTE_MS;
const AGAIN_MS = 5 * MINUTE_MS;
/** Packets of others that are read in a second; a neighbour with many torrents sends ten in a round. */
const HEARD = { perNeighbour: 20, all: 200 };
/** Packets in one round: with more torrents than they carry, the rest waits for the next. */
const MAX_PACKETS_PER_ROUND = 10;

export interface LocalSwarm {
  readonly key: SwarmKey;
  /** Asked each time: private torrents must not be spoken of. */
  readonly isAllowed: () => boolean;
  /** A peer that announced itself from there: observed, not told. */
  readonly found: (peer: PeerAddress) => void;
}

export interface LocalDiscoveryOptions {
  /** TCP port on which we take peers. */
  readonly listenPort: number;
  /** Where we take them, an IP literal; its interface is used, and its family. Undefined: all, on the system's choice. */
  readonly host?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** UDP port of the group, for tests; default 6771. */
  readonly groupPort?: number;
}

interface Course {
  readonly swarm: LocalSwarm;
  /** -Infinity: never yet. */
  announcedAtMs: number;
}

export class LocalDiscovery {
  readonly #options: LocalDiscoveryOptions;
  readonly #groups: readonly MulticastGroup[];
  readonly #cookie = toHex(randomBytes(8));
  readonly #courses = new Map<SwarmKey, Course>();
  #round: Cancel | undefined;
  #lastRoundMs = Number.NEGATIVE_INFINITY;
  readonly #heard: FairRate;
  #isStopped = false;

  private constructor(groups: readonly MulticastGroup[], options: LocalDiscoveryOptions) {
    this.#groups = groups;
    this.#options = options;
    this.#heard = new FairRate(options.clock, HEARD);
    for (const group of groups)
      group.listen(
        (bytes, from) => this.#receive(bytes, from),
        (error) => options.log.debug('lsd.failed', { error }),
      );
  }

  /** One address family is enough. @throws Unavailable where no group can be joined */
  static async open(options: LocalDiscoveryOptions): Promise<LocalDiscovery> {
    const { groupPort = PORT, host } = options;
    const places = placesFor(host, networkInterfaces());
    const joined = await Promise.allSettled(places.map((place) => MulticastGroup.join(place, groupPort)));
    const groups = joined.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const [cause] = joined.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    if (groups.length === 0) throw new Unavailable('local discovery is not possible here', { host }, { cause });
    if (cause !== undefined) options.log.debug('lsd.one_family', { family: groups[0]?.family, error: cause });
    return new LocalDiscovery(groups, options);
  }

  /** Announces the swarm, and listens for it, until what it returns is called. */
  add(swarm: LocalSwarm): () => void {
    this.#courses.set(swarm.key, { swarm, announcedAtMs: Number.NEGATIVE_INFINITY });
    this.#schedule();
    return () => void this.#courses.delete(swarm.key);
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#round?.();
    this.#courses.clear();
    await Promise.all(this.#groups.map((group) => group.close()));
  }

  #schedule(): void {
    if (this.#round !== undefined || this.#isStopped || this.#courses.size === 0) return;
    const delayMs = Math.max(0, this.#lastRoundMs + ROUND_MS - this.#nowMs());
    this.#round = this.#options.clock.after(delayMs, () => {
      this.#round = undefined;
      this.#announce();
      this.#schedule();
    });
  }

  #announce(): void {
    const nowMs = this.#nowMs();
    const due = [...this.#courses.values()]
      .filter(({ swarm, announcedAtMs }) => nowMs - announcedAtMs >= AGAIN_MS && swarm.isAllowed())
      .slice(0, MAX_LSD_KEYS * MAX_PACKETS_PER_ROUND);
    this.#lastRoundMs = nowMs;
    for (let at = 0; at < due.length; at += MAX_LSD_KEYS) this.#say(due.slice(at, at + MAX_LSD_KEYS), nowMs);
  }

  #say(courses: readonly Course[], nowMs: number): void {
    const swarmKeys = courses.map(({ swarm }) => swarm.key);
    const announce = { port: this.#options.listenPort, swarmKeys, cookie: this.#cookie };
    for (const group of this.#groups) group.send(encodeLsd(group.name, announce)); // what is lost is said again
    for (const course of courses) course.announcedAtMs = nowMs;
  }

  #receive(bytes: Uint8Array, from: PeerAddress): void {
    if (!this.#heard.takes(from.host)) return; // all of a network share a /64: the address counts
    try {
      const { port, swarmKeys, cookie } = decodeLsd(bytes);
      if (cookie === this.#cookie) return;
      for (const key of swarmKeys) {
        const swarm = this.#courses.get(key)?.swarm;
        if (swarm?.isAllowed() === true) swarm.found({ host: from.host, port });
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#options.log.debug('lsd.packet_refused', { code: error.code });
    }
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}
