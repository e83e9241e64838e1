/**
 * What makes a seed's swarm as varied as the world: v2 and hybrid torrents of several files, encryption, users who choose,
 * pause and recheck, readers with deadlines, crowds. Drawn from dice of its own, so that a seed keeps its cast and weather.
 * Invariant: a torrent that could be completed before still can.
 */
import { KIB, SECOND_MS } from '../../../src/base/units.ts';
import type { FilePriority } from '../../../src/torrent/index.ts';
import type { Deed } from './deeds.ts';
import { Dice } from './dice.ts';
import { ENCRYPTION_HOSTILE_KINDS } from './encryption-hostiles.ts';
import { HASH_HOSTILE_KINDS } from './hash-hostiles.ts';
import type { HostileKind } from './hostile.ts';
import { withRates } from './rates.ts';
import {
  drawPlainScenario,
  RESTLESS_MS,
  type HoldingPlan,
  type HostilePlan,
  type NodePlan,
  type ReadPlan,
  type Scenario,
  type TorrentPlan,
} from './scenario.ts';

/** Keeps the dice of the widening apart from those of the plain scenario. */
const SALT = 0x51eed;
/** A crowd costs by its nodes, so what it shares is small. */
const CROWD_BYTES = 400 * KIB;
/** And every hostile peer goes for every node. */
const MAX_HOSTILE_IN_CROWD = 4;
const CROWD_NODES = 16;
const LONGEST_PAUSE_MS = 12 * SECOND_MS;

/** The scenario that a seed stands for. */
export function drawScenario(seed: number): Scenario {
  return withRates(new Widening(drawPlainScenario(seed)).scenario());
}

class Widening {
  readonly #plain: Scenario;
  readonly #dice: Dice;
  readonly #isCrowd: boolean;
  readonly #isEncrypted: boolean;
  readonly #torrents: readonly TorrentPlan[];

  constructor(plain: Scenario) {
    const dice = new Dice(plain.seed ^ SALT);
    this.#plain = plain;
    this.#dice = dice;
    this.#isCrowd = plain.nodes.length < CROWD_NODES && dice.chance(0.3);
    this.#isEncrypted = dice.chance(0.3);
    this.#torrents = plain.torrents.map((torrent) => this.#torrent(torrent));
  }

  scenario(): Scenario {
    const plain = this.#plain;
    const crowd = this.#isCrowd ? this.#crowd(plain.nodes.filter((node) => !isAnchor(node))) : [];
    const nodes = [...plain.nodes, ...crowd].map((node) => this.#node(node));
    const hostile = [...plain.hostile, ...this.#hashHostile(), ...this.#encryptionHostile()];
    return {
      ...plain,
      torrents: this.#torrents,
      nodes,
      // The newest first: those of the plain scenario are many.
      hostile: (nodes.length < CROWD_NODES ? hostile : hostile.slice(-MAX_HOSTILE_IN_CROWD)).map((each) =>
        this.#hostile(each),
      ),
    };
  }

  #torrent(plan: TorrentPlan): TorrentPlan {
    const dice = this.#dice;
    const isCrowd = this.#isCrowd || this.#plain.nodes.length >= CROWD_NODES;
    const format = dice.pick(['v1', 'v1', 'v2', 'hybrid'] as const);
    const fileCount = dice.chance(0.5) ? dice.int(2, 6) : 1;
    const pieceLengthBytes =
      format === 'v1' ? plan.pieceLengthBytes : 2 ** Math.floor(Math.log2(plan.pieceLengthBytes));
    return {
      ...plan,
      format,
      pieceLengthBytes,
      sizeBytes: isCrowd ? Math.min(plan.sizeBytes, CROWD_BYTES) : plan.sizeBytes,
      cuts: Array.from({ length: fileCount - 1 }, () => dice.next()).toSorted((a, b) => a - b),
    };
  }

  /** More of those that are there: they come when they like, and some go again. */
  #crowd(guests: readonly NodePlan[]): NodePlan[] {
    const dice = this.#dice;
    return Array.from({ length: dice.int(14, 24) }, () => {
      const guest = dice.pick(guests);
      const joinsAtMs = dice.int(0, 30 * SECOND_MS);
      const backAtMs = joinsAtMs + dice.int(5 * SECOND_MS, 40 * SECOND_MS);
      return {
        ...guest,
        host: { ...guest.host, latencyMs: dice.int(1, 100) },
        holdings: guest.holdings.map(ofCrowd),
        changes: [
          { atMs: joinsAtMs, what: 'join' as const },
          ...(dice.chance(0.25)
            ? [
                { atMs: dice.int(joinsAtMs + 1, backAtMs), what: dice.pick(['leave', 'crash', 'power cut'] as const) },
                { atMs: backAtMs + SECOND_MS, what: 'join' as const },
              ]
            : []),
        ],
      };
    });
  }

  #node(node: NodePlan): NodePlan {
    const dice = this.#dice;
    return {
      ...node,
      host: { ...node.host, ...(this.#isEncrypted && { transport: 'tcp' as const }) },
      // Everybody can talk to the anchors.
      encryption: isAnchor(node) ? 'prefer' : dice.pick(['prefer', 'prefer', 'require', 'off'] as const),
      holdings: node.holdings.map((holding) => (isAnchor(node) ? this.#anchors(holding) : this.#guests(holding))),
    };
  }

  /** An anchor keeps everything, but now and then it is out of reach for a while, or looks at what it has. */
  #anchors(holding: HoldingPlan): HoldingPlan {
    const dice = this.#dice;
    if (!dice.chance(0.2)) return { ...holding, sleeps: holding.start === 'all' && dice.chance(0.4) };
    return { ...holding, deeds: this.#deeds(2, () => (dice.chance(0.5) ? this.#pause() : this.#recheck())) };
  }

  #guests(holding: HoldingPlan): HoldingPlan {
    const dice = this.#dice;
    const reads = [...holding.reads.map((read) => this.#hurried(read)), ...(dice.chance(0.15) ? this.#reads() : [])];
    const files = this.#filesOf(holding);
    return {
      ...holding,
      half: dice.pick(['both', 'both', 'v1', 'v2'] as const),
      hasLayers: dice.chance(0.5),
      reads,
      deeds: dice.chance(0.3) ? this.#deeds(4, () => this.#deed(holding, files, reads.length > 0)) : [],
    };
  }

  /** As its owner counts them; pad files come on top. */
  #filesOf({ torrent }: HoldingPlan): number {
    return (this.#torrents[torrent]?.cuts.length ?? 0) + 1;
  }

  #deeds(most: number, draw: () => Undated): Deed[] {
    const dice = this.#dice;
    const count = dice.int(1, most);
    // One at a time: what two do at once to each other's pauses is nobody's promise.
    const slotMs = RESTLESS_MS / count;
    return Array.from({ length: count }, (_, at) => {
      const atMs = Math.floor(at * slotMs + dice.next() * Math.max(0, slotMs - LONGEST_PAUSE_MS - 3 * SECOND_MS));
      return { ...draw(), atMs };
    });
  }

  #deed({ mode, disk }: HoldingPlan, files: number, isRead: boolean): Undated {
    const dice = this.#dice;
    const mayRot = !isRead && disk.roomBytes === undefined && disk.breaksAtMs === undefined;
    const what = dice.pick([
      'prioritize',
      'prioritize',
      'select',
      'mode',
      'pause',
      'pause',
      'recheck',
      'drop',
      'rot',
      'restart',
    ]);
    switch (what) {
      case 'prioritize':
        return { what, choices: Array.from({ length: dice.int(1, 3) }, () => this.#choice(files)) };
      case 'select':
        return { what, ranges: Array.from({ length: dice.int(1, 2) }, () => this.#range(files)) };
      case 'mode':
        return { what, mode: dice.pick(['all', 'on-demand', mode]) };
      case 'recheck':
        return this.#recheck();
      case 'drop': {
        const from = dice.next();
        return { what, from, to: from + (1 - from) * dice.next() };
      }
      case 'restart':
        return isRead ? this.#pause() : { what, forMs: dice.int(0, LONGEST_PAUSE_MS) };
      case 'rot':
        return mayRot ? { what, nth: dice.int(1, 4) } : this.#pause();
      default:
        return this.#pause();
    }
  }

  #pause(): Undated {
    return { what: 'pause', forMs: this.#dice.int(1, LONGEST_PAUSE_MS) };
  }

  #recheck(): Undated {
    const dice = this.#dice;
    return { what: 'recheck', abortsAfterMs: dice.chance(0.3) ? dice.int(0, 2 * SECOND_MS) : undefined };
  }

  #range(files: number): { first: number; last: number } {
    // Pad files count, so a torrent has up to twice as many.
    const first = this.#dice.int(0, 2 * files - 1);
    return { first, last: first + this.#dice.int(0, 2) };
  }

  #choice(files: number): { first: number; last: number; priority: FilePriority } {
    return { ...this.#range(files), priority: this.#dice.pick(['skip', 'skip', 'low', 'normal', 'high'] as const) };
  }

  /** The reader needs its bytes at a time, reads one file, or is aborted. */
  #hurried(read: ReadPlan): ReadPlan {
    const dice = this.#dice;
    return {
      ...read,
      ...(dice.chance(0.5) && { deadlineMs: dice.int(0, 5 * SECOND_MS) }),
      ...(dice.chance(0.5) && { file: dice.int(0, 5) }),
      ...(dice.chance(0.2) && { abortsAfterMs: dice.int(0, 8 * SECOND_MS) }),
    };
  }

  /** A viewer who seeks: each read begins where it likes, soon after the one before was left. */
  #reads(): ReadPlan[] {
    const dice = this.#dice;
    let atMs = dice.int(0, 10 * SECOND_MS);
    return Array.from({ length: dice.int(2, 5) }, () => {
      const from = dice.next() * 0.9;
      const read = { atMs, from, to: Math.min(1, from + 0.3), bytesPerSecond: dice.pick([50, 500]) * KIB };
      atMs += dice.int(200, 3 * SECOND_MS);
      return this.#hurried({ ...read, leavesAfter: dice.chance(0.5) ? dice.next() : 1 });
    });
  }

  /** Those that lie about hashes, where there are some. */
  #hashHostile(): HostilePlan[] {
    const dice = this.#dice;
    const torrent = this.#torrents.findIndex(({ format }) => format !== 'v1');
    if (torrent < 0 || !dice.chance(0.4)) return [];
    return this.#liars(dice.int(1, 3), torrent, HASH_HOSTILE_KINDS);
  }

  /** Those that abuse encrypted handshakes, where there are some. */
  #encryptionHostile(): HostilePlan[] {
    const dice = this.#dice;
    if (!this.#isEncrypted || !dice.chance(0.4)) return [];
    return this.#liars(dice.int(1, 2), dice.int(0, this.#torrents.length - 1), ENCRYPTION_HOSTILE_KINDS);
  }

  #liars(count: number, torrent: number, kinds: readonly HostileKind[]): HostilePlan[] {
    const dice = this.#dice;
    return Array.from({ length: count }, () => ({
      kind: dice.pick(kinds),
      torrent,
      host: { latencyMs: dice.pick([1, 20, 100]), uploadBytesPerSecond: dice.pick([150, 2_000]) * KIB },
      joinsAtMs: dice.int(0, 15 * SECOND_MS),
    }));
  }

  #hostile(hostile: HostilePlan): HostilePlan {
    return this.#isEncrypted ? { ...hostile, host: { ...hostile.host, transport: 'tcp' } } : hostile;
  }
}

type Undated = Deed extends infer Each ? (Each extends Deed ? Omit<Each, 'atMs'> : never) : never;

/** Of a crowd nobody reads, and all depend on each other. */
function ofCrowd(holding: HoldingPlan): HoldingPlan {
  return { ...holding, reads: [], webSeeds: [] };
}

function isAnchor({ holdings }: NodePlan): boolean {
  return holdings.some((holding) => holding.isAnchor);
}
