/**
 * Everything that will happen in a simulation, as plain data: who is there, with what, when they come and go. It is
 * drawn from the seed before the first virtual millisecond. Invariant: each torrent can always be completed in the end,
 * for one seed of it (or two halves) stays, or comes back, and every partition heals.
 */
import { KIB, MINUTE_MS, SECOND_MS } from '../../../src/base/units.ts';
import type { TorrentFormat } from '../../../src/codec/make-info.ts';
import type {
  AddressRateLimits,
  EncryptionPolicy,
  EngineLimits,
  RateLimits,
  TorrentMode,
  WebSeedUse,
} from '../../../src/torrent/index.ts';
import type { HostOptions } from '../../support/memory-network.ts';
import type { Deed } from './deeds.ts';
import { Dice } from './dice.ts';
import type { DiskPlan } from './disk.ts';
import type { HttpPlan } from './http-source.ts';
import { PLAIN_HOSTILE_KINDS, type HostileKind } from './hostile.ts';
import type { RatePlan } from './rates.ts';
import type { WeatherPlan } from './sky.ts';

export interface TorrentPlan {
  readonly sizeBytes: number;
  readonly pieceLengthBytes: number;
  readonly isPrivate: boolean;
  readonly format: TorrentFormat;
  /** Where one file ends and the next begins, as shares of the torrent, upwards. */
  readonly cuts: readonly number[];
}

export interface ReadPlan {
  readonly atMs: number;
  /** Shares of the torrent, from 0 to 1. */
  readonly from: number;
  readonly to: number;
  /** What the reader consumes; it waits in between. */
  readonly bytesPerSecond: number;
  /** It leaves (a seek) after this share of its range; 1 = reads to the end. */
  readonly leavesAfter: number;
  /** Reads this file (the remainder by the number of files), and shares of it; undefined = the torrent. */
  readonly file?: number;
  /** When its first byte is needed, in ms from its start. */
  readonly deadlineMs?: number;
  /** It is aborted by its signal so long after its start. */
  readonly abortsAfterMs?: number;
}

export interface HoldingPlan {
  readonly torrent: number;
  /** It keeps the torrent alive: everybody counts on it. */
  readonly isAnchor: boolean;
  readonly mode: TorrentMode;
  /** Whole, it is added when somebody asks for it, and stopped when nobody does. */
  readonly sleeps: boolean;
  /** Which pieces are on the disk at first: all, none, or those `piece % of === rest`. */
  readonly start: 'all' | 'none' | { readonly of: number; readonly rest: number };
  readonly isMagnet: boolean;
  /** Of a hybrid: which half it was added by, and so speaks. */
  readonly half: 'both' | 'v1' | 'v2';
  /** It has the piece layers from the start (v2, hybrid); others ask their peers. */
  readonly hasLayers: boolean;
  readonly limits: RateLimits;
  /** What it is told later, in order of time. */
  readonly rates: readonly RatePlan<RateLimits>[];
  readonly disk: DiskPlan;
  readonly webSeeds: readonly HttpPlan[];
  readonly webSeedUse: WebSeedUse;
  readonly reads: readonly ReadPlan[];
  /** In order of time. */
  readonly deeds: readonly Deed[];
}

export interface ChangePlan {
  readonly atMs: number;
  /** `crash`: the process dies and connections are reset. `power cut`: not even that. */
  readonly what: 'join' | 'leave' | 'crash' | 'power cut';
}

export interface NodePlan {
  readonly host: HostOptions;
  readonly limits: Partial<EngineLimits>;
  /** What the engine is told later, in order of time. */
  readonly rates: readonly RatePlan<RateLimits & AddressRateLimits>[];
  readonly slowestHashMs: number;
  readonly encryption: EncryptionPolicy;
  readonly holdings: readonly HoldingPlan[];
  /** In order of time; the first is a join, and so is the last. */
  readonly changes: readonly ChangePlan[];
}

export interface HostilePlan {
  readonly kind: HostileKind;
  readonly torrent: number;
  readonly host: HostOptions;
  readonly joinsAtMs: number;
}

export interface Scenario {
  readonly seed: number;
  readonly profile: Profile;
  readonly torrents: readonly TorrentPlan[];
  readonly weather: WeatherPlan;
  readonly nodes: readonly NodePlan[];
  readonly hostile: readonly HostilePlan[];
  /** All must be complete this long after the last change. */
  readonly patienceMs: number;
}

const PROFILES = ['calm', 'churn', 'streaming', 'hostile', 'scarce'] as const;
export type Profile = (typeof PROFILES)[number];

const KINDS_OF_HTTP = ['honest', 'honest', 'stalls', 'lies', 'fails', 'ends early'] as const;
/** Nobody comes or goes after this. */
export const RESTLESS_MS = 90 * SECOND_MS;

/** The cast and the weather of a seed: v1 torrents of one file over plain text, left alone. `widen` adds the rest. */
export function drawPlainScenario(seed: number): Scenario {
  return new Draw(seed).scenario();
}

class Draw {
  readonly #seed: number;
  readonly #dice: Dice;
  readonly #profile: Profile;

  constructor(seed: number) {
    this.#seed = seed;
    this.#dice = new Dice(seed);
    this.#profile = PROFILES[seed % PROFILES.length] ?? 'calm';
  }

  scenario(): Scenario {
    const dice = this.#dice;
    const torrents = Array.from({ length: dice.chance(0.25) ? 2 : 1 }, () => this.#torrent());
    const anchors = torrents.flatMap((_, torrent) => this.#anchors(torrent));
    const guests = Array.from({ length: this.#guestCount() }, () => this.#guest(torrents.length));
    return {
      seed: this.#seed,
      profile: this.#profile,
      torrents,
      weather: this.#weather(),
      nodes: [...anchors, ...guests],
      hostile: this.#hostile(torrents.length),
      patienceMs: 15 * MINUTE_MS,
    };
  }

  #is(...profiles: Profile[]): boolean {
    return profiles.includes(this.#profile);
  }

  #guestCount(): number {
    // Now and then a crowd.
    return this.#dice.chance(0.1) ? this.#dice.int(20, 30) : this.#dice.int(4, 12);
  }

  #torrent(): TorrentPlan {
    const dice = this.#dice;
    const pieceLengthBytes = dice.pick([16 * KIB, 32 * KIB, 64 * KIB, 64 * KIB, 128 * KIB, 256 * KIB, 40_000]);
    const sizeBytes = dice.int(1, 3) === 1 ? pieceLengthBytes * dice.int(2, 8) : dice.int(60 * KIB, 1_200 * KIB);
    return { sizeBytes, pieceLengthBytes, isPrivate: dice.chance(0.15), format: 'v1', cuts: [] };
  }

  #weather(): WeatherPlan {
    const dice = this.#dice;
    const isRough = this.#is('churn', 'scarce') || dice.chance(0.2);
    const partition = (): WeatherPlan['partitions'][number] => {
      const fromMs = dice.int(1, 60) * SECOND_MS;
      return { fromMs, untilMs: fromMs + dice.int(1, 40) * SECOND_MS, salt: dice.int(0, 2 ** 31) };
    };
    return {
      jitterMs: dice.pick([0, 2, 20, 60]),
      lossRate: isRough ? dice.pick([0, 0.01, 0.05]) : 0,
      retransmitMs: dice.pick([200, 400, 1_000]),
      linkBytesPerSecond: dice.pick([
        [100 * KIB, 4_000 * KIB],
        [20 * KIB, 500 * KIB],
        [500 * KIB, 20_000 * KIB],
      ]),
      partitions: isRough ? Array.from({ length: dice.int(0, 2) }, partition) : [],
    };
  }

  #host(): HostOptions {
    const dice = this.#dice;
    return {
      latencyMs: dice.pick([1, 5, 20, 50, 120]),
      uploadBytesPerSecond: dice.pick([40, 150, 500, 2_000, 8_000]) * KIB,
      chunkBytes: dice.pick([1_400, 5_000, 16 * KIB, 16 * KIB]),
    };
  }

  /** Those that keep the torrent alive: one seed, or two that hold one half each. */
  #anchors(torrent: number): NodePlan[] {
    const starts: HoldingPlan['start'][] = this.#dice.chance(0.7)
      ? ['all']
      : [
          { of: 2, rest: 0 },
          { of: 2, rest: 1 },
        ];
    return starts.map((start) => ({
      host: { ...this.#host(), uploadBytesPerSecond: this.#dice.int(300, 4_000) * KIB },
      limits: {},
      rates: [],
      slowestHashMs: 5,
      encryption: 'prefer',
      holdings: [
        {
          ...this.#holding(torrent),
          isAnchor: true,
          start,
          mode: 'all',
          isMagnet: false,
          disk: { slowestMs: 5 },
          reads: [],
        },
      ],
      changes: this.#changes(0, this.#is('churn') && this.#dice.chance(0.5)),
    }));
  }

  #guest(torrentCount: number): NodePlan {
    const dice = this.#dice;
    const first = dice.int(0, torrentCount - 1);
    const holdings = [this.#holding(first)];
    if (torrentCount > 1 && dice.chance(0.5)) holdings.push(this.#holding(1 - first));
    return {
      host: this.#host(),
      limits: this.#is('scarce') ? this.#tightLimits() : {},
      rates: [],
      slowestHashMs: dice.pick([0, 5, 50, 300]),
      encryption: 'prefer',
      holdings,
      changes: this.#changes(dice.int(0, 20 * SECOND_MS), this.#is('churn') ? dice.chance(0.6) : dice.chance(0.1)),
    };
  }

  #tightLimits(): Partial<EngineLimits> {
    const dice = this.#dice;
    return {
      pieceBufferBytes: dice.pick([256, 400, 1_000]) * KIB,
      serveBufferBytes: dice.pick([80, 300, 1_000]) * KIB,
      maxConnections: dice.int(4, 12),
      maxConnectionsPerTorrent: dice.int(3, 8),
      maxHalfOpen: dice.int(2, 5),
      maxGreetings: dice.int(2, 6),
      maxHashJobs: dice.int(1, 3),
      ...(dice.chance(0.4) && { uploadBytesPerSecond: dice.int(30, 300) * KIB }),
      ...(dice.chance(0.3) && { downloadBytesPerSecond: dice.int(60, 400) * KIB }),
    };
  }

  #holding(torrent: number): HoldingPlan {
    const dice = this.#dice;
    const isStreaming = dice.chance(this.#is('streaming') ? 0.6 : 0.1);
    const isMagnet = dice.chance(0.25);
    const start = dice.pick<HoldingPlan['start']>(['none', 'none', 'none', { of: 3, rest: dice.int(0, 2) }]);
    return {
      torrent,
      isAnchor: false,
      mode: isStreaming ? 'on-demand' : 'all',
      sleeps: false,
      start: isMagnet ? 'none' : start,
      isMagnet,
      half: 'both',
      hasLayers: true,
      limits: dice.chance(0.15) ? { uploadBytesPerSecond: dice.int(40, 400) * KIB } : {},
      rates: [],
      disk: this.#disk(),
      webSeeds: dice.chance(this.#is('streaming') ? 0.5 : 0.1) ? this.#webSeeds() : [],
      webSeedUse: dice.pick<WebSeedUse>(['when-needed', 'when-needed', 'always']),
      reads: isStreaming || dice.chance(0.1) ? this.#reads() : [],
      deeds: [],
    };
  }

  #disk(): DiskPlan {
    const dice = this.#dice;
    const slowestMs = dice.pick([0, 3, 20, 200]);
    if (!this.#is('scarce') || dice.chance(0.75)) return { slowestMs };
    return dice.chance(0.5)
      ? { slowestMs, roomBytes: dice.int(32, 600) * KIB }
      : { slowestMs, breaksAtMs: dice.int(2, 60) * SECOND_MS };
  }

  #webSeeds(): HttpPlan[] {
    const dice = this.#dice;
    return Array.from({ length: dice.int(1, 2) }, () => ({
      kind: dice.pick(KINDS_OF_HTTP),
      delayMs: dice.pick([5, 50, 400]),
      bytesPerSecond: dice.pick([30, 300, 3_000]) * KIB,
    }));
  }

  #reads(): ReadPlan[] {
    const dice = this.#dice;
    let atMs = dice.int(0, 10 * SECOND_MS);
    return Array.from({ length: dice.int(1, 4) }, () => {
      atMs += dice.int(0, 4 * SECOND_MS);
      const from = dice.next() * 0.9;
      return {
        atMs,
        from,
        to: Math.min(1, from + 0.05 + dice.next()),
        bytesPerSecond: dice.pick([100, 1_000, 100_000]) * KIB,
        leavesAfter: dice.chance(0.4) ? dice.next() : 1,
      };
    });
  }

  #changes(joinsAtMs: number, isRestless: boolean): ChangePlan[] {
    const dice = this.#dice;
    const changes: ChangePlan[] = [{ atMs: joinsAtMs, what: 'join' }];
    let atMs = joinsAtMs;
    if (!isRestless) return changes;
    while (changes.length < 7) {
      const goesAtMs = atMs + dice.int(500, 25 * SECOND_MS);
      atMs = goesAtMs + dice.int(2 * SECOND_MS, 25 * SECOND_MS);
      if (atMs > RESTLESS_MS) break;
      changes.push({ atMs: goesAtMs, what: dice.pick(['leave', 'crash', 'power cut']) }, { atMs, what: 'join' });
    }
    return changes;
  }

  #hostile(torrentCount: number): HostilePlan[] {
    const dice = this.#dice;
    const count = this.#is('hostile') ? dice.int(3, 7) : dice.chance(0.2) ? 1 : 0;
    return Array.from({ length: count }, () => ({
      kind: dice.pick(PLAIN_HOSTILE_KINDS),
      torrent: dice.int(0, torrentCount - 1),
      host: this.#host(),
      joinsAtMs: dice.int(0, 15 * SECOND_MS),
    }));
  }
}
