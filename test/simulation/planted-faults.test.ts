/**
 * Would the simulator notice? Each of these faults is planted into the engine from outside, and must be found by some
 * seed, under the name of the promise it breaks. Without the fault the same seeds are clean (`seeds.test.ts`).
 */
import { afterEach, expect, test } from 'vitest';
import { MIB, SECOND_MS } from '../../src/base/units.ts';
import { Rc4 } from '../../src/codec/rc4.ts';
import { MESSAGE } from '../../src/codec/wire.ts';
import { Crowd } from '../../src/torrent/crowd/crowd.ts';
import { Downloader } from '../../src/torrent/download/downloader.ts';
import { Suspicions } from '../../src/torrent/download/suspicion.ts';
import { Wishes } from '../../src/torrent/download/wishes.ts';
import { PieceLeaves } from '../../src/torrent/hashes/piece-leaves.ts';
import { Sha1Verifier } from '../../src/torrent/hashes/verify.ts';
import type { AddressRateLimits, RateLimits } from '../../src/torrent/index.ts';
import { AddressTraffic, type AddressShare } from '../../src/torrent/limits/address-traffic.ts';
import { BufferPool } from '../../src/torrent/limits/buffers.ts';
import { Inflow } from '../../src/torrent/limits/inflow.ts';
import { TokenBucket } from '../../src/torrent/limits/rate.ts';
import { Traffic } from '../../src/torrent/limits/traffic.ts';
import { UploadLimit } from '../../src/torrent/limits/upload-limit.ts';
import { Connection } from '../../src/torrent/peer/connection.ts';
import { PeerPieces } from '../../src/torrent/peer/peer-pieces.ts';
import { Peer } from '../../src/torrent/peer/peer.ts';
import { RequestLedger } from '../../src/torrent/peer/request-ledger.ts';
import { UploadQueue } from '../../src/torrent/peer/upload-queue.ts';
import { ActivePiece } from '../../src/torrent/pieces/active-piece.ts';
import { PieceStore } from '../../src/torrent/pieces/piece-store.ts';
import { Reader } from '../../src/torrent/reading/reader.ts';
import type { Deed } from './simulator/deeds.ts';
import type { Invariant } from './simulator/referee.ts';
import type { Profile, ReadPlan, Scenario } from './simulator/scenario.ts';
import { simulate } from './simulator/simulation.ts';
import { drawScenario } from './simulator/widening.ts';

/** Seeds tried before a fault counts as not found. */
const MAX_SEEDS = 60;

interface Fault {
  readonly fault: string;
  /** Where it shows soonest; by default anywhere. */
  readonly among?: Profile | ((scenario: Scenario) => boolean);
  /** Promises it may break, whichever is broken first. */
  readonly breaks: readonly Invariant[];
  readonly plant: () => void;
}

const restores: (() => void)[] = [];

/** Replaces a method until the test ends. `make` gets the whole method, bound to its object, and that object. */
function replace<Target extends object, Name extends keyof Target & string>(
  target: Target,
  name: Name,
  make: (whole: Target[Name], self: Target) => Target[Name],
): void {
  const descriptor = Object.getOwnPropertyDescriptor(target, name);
  const whole: unknown = descriptor?.value;
  if (descriptor === undefined || typeof whole !== 'function') throw new TypeError(`${name} is no method`);
  Object.defineProperty(target, name, {
    ...descriptor,
    value(this: Target, ...given: unknown[]): unknown {
      const bound = (...again: unknown[]): unknown => Reflect.apply(whole, this, again);
      const made: unknown = make(bound as unknown as Target[Name], this);
      return typeof made === 'function' ? Reflect.apply(made, this, given) : undefined;
    },
  });
  restores.push(() => void Object.defineProperty(target, name, descriptor));
}

/** True on every nth call. */
function every(nth: number): () => boolean {
  let calls = 0;
  return () => ++calls % nth === 0;
}

const UPLOAD_LIMITS = [
  "the engine's upload limit holds",
  "a torrent's upload limit holds",
  "an address's upload limit holds",
] as const;
const DOWNLOAD_LIMITS = [
  "the engine's download limit holds",
  "a torrent's download limit holds",
  "an address's download limit holds",
] as const;
const RATE_LIMITS = [...UPLOAD_LIMITS, ...DOWNLOAD_LIMITS];

const FAULTS: readonly Fault[] = [
  {
    fault: 'a cancel that is written down and not sent',
    breaks: ['books and wire agree'],
    plant: () =>
      replace(Connection.prototype, 'send', (send) => (bytes) => {
        if (bytes[4] !== MESSAGE.cancel) send(bytes);
      }),
  },
  {
    fault: 'a cancelled block that is not free for others',
    breaks: ['every asked block is in its books'],
    plant: () => replace(ActivePiece.prototype, 'unask', () => () => undefined),
  },
  {
    fault: 'a piece counted as missing while it is being checked',
    breaks: ['a piece is in exactly one state'],
    plant: () => replace(PieceStore.prototype, 'isMissing', (_, store) => (piece) => !store.have.has(piece)),
  },
  {
    fault: 'a block counted twice',
    breaks: ['every asked block is in its books', 'only verified bytes are stored', 'lent buffers are accounted for'],
    plant() {
      const isDue = every(20);
      replace(ActivePiece.prototype, 'receive', (receive, piece) => (block, source, nowMs) => {
        const another = (block + 1) % piece.blockCount;
        if (isDue() && !piece.isReceived(another)) receive(another, source, nowMs);
        return receive(block, source, nowMs);
      });
    },
  },
  {
    fault: 'a buffer that is not given back',
    breaks: ['lent buffers are accounted for', 'after stop nothing is left'],
    plant() {
      const isDue = every(9);
      replace(BufferPool.prototype, 'release', (release) => (buffer) => {
        if (!isDue()) release(buffer);
      });
    },
  },
  {
    fault: 'a piece kept without a look at its hash',
    // In a hybrid the v2 half looks, and the two disagree.
    among: ({ torrents, profile }) => profile === 'hostile' && torrents.every(({ format }) => format === 'v1'),
    breaks: ['only verified bytes are stored', 'a node claims only what it holds'],
    plant: () => replace(Sha1Verifier.prototype, 'isValid', () => async () => true),
  },
  {
    fault: 'a block served from the wrong place',
    breaks: ['only verified bytes leave'],
    plant: () =>
      replace(PieceStore.prototype, 'serve', (serve) => (views, position) => serve(views, Math.max(0, position - 1))),
  },
  {
    fault: 'a buffer reused while it is being written to disk',
    breaks: ['a buffer is left alone while it is in use'],
    plant: () =>
      replace(Sha1Verifier.prototype, 'isValid', (isValid) => async (piece, bytes) => {
        const verdict = await isValid(piece, bytes);
        if (verdict) soon(() => bytes.fill(0));
        return verdict;
      }),
  },
  {
    fault: 'requests that stay in the ledger when the peer chokes',
    among: 'hostile',
    breaks: ['books and wire agree'],
    plant: () =>
      replace(Peer.prototype, 'message', (message, peer) => (said) => {
        if (said.type === 'choke') peer.isChoking = true;
        else message(said);
      }),
  },
  {
    fault: 'a dead connection whose requests are forgotten',
    breaks: ['every asked block is in its books'],
    plant: () => replace(RequestLedger.prototype, 'cancelAll', () => () => []),
  },
  {
    fault: 'a peer that is asked although it chokes',
    breaks: ['nothing is asked of a peer that chokes'],
    plant() {
      replace(PeerPieces.prototype, 'serves', (_, pieces) => (piece) => pieces.has(piece));
      replace(Downloader.prototype, 'fill', (fill) => (peer) => {
        peer.isChoking = false;
        fill(peer);
      });
    },
  },
  {
    fault: 'silence that nobody minds',
    among: 'hostile',
    breaks: ['what is asked is answered or given up'],
    plant: () => replace(Downloader.prototype, 'checkStalls', () => () => undefined),
  },
  {
    fault: 'a request that is lost on its way to the queue',
    breaks: ['every request is answered', 'what can complete completes'],
    plant() {
      const isDue = every(12);
      replace(UploadQueue.prototype, 'add', (add) => (block) => {
        if (!isDue()) add(block);
      });
    },
  },
  {
    fault: 'a rate limit that is not looked at',
    among: 'scarce',
    breaks: RATE_LIMITS,
    plant: () => replace(TokenBucket.prototype, 'available', () => () => Number.POSITIVE_INFINITY),
  },
  {
    fault: 'blocks that come late and are not charged',
    among: (scenario) => isSmall(scenario) && isLimited(scenario, 'downloadBytesPerSecond'),
    breaks: DOWNLOAD_LIMITS,
    plant() {
      const expected = new WeakMap<Inflow, number>();
      const change = (inflow: Inflow, by: number): void =>
        void expected.set(inflow, Math.max(0, (expected.get(inflow) ?? 0) + by));
      replace(Inflow.prototype, 'asked', (asked, inflow) => (sizeBytes, nowMs) => {
        change(inflow, sizeBytes);
        asked(sizeBytes, nowMs);
      });
      replace(Inflow.prototype, 'takenBack', (takenBack, inflow) => (sizeBytes) => {
        change(inflow, -sizeBytes);
        takenBack(sizeBytes);
      });
      replace(Inflow.prototype, 'lowered', (lowered, inflow) => () => {
        lowered();
        expected.delete(inflow);
      });
      replace(Inflow.prototype, 'came', (came, inflow) => (sizeBytes, nowMs) => {
        const charged = Math.min(sizeBytes, expected.get(inflow) ?? 0);
        change(inflow, -charged);
        if (charged > 0) came(charged, nowMs);
      });
    },
  },
  {
    fault: 'a source that is read on although more came than may',
    among: (scenario) => isSmall(scenario) && isLimited(scenario, 'downloadBytesPerSecond'),
    breaks: DOWNLOAD_LIMITS,
    plant: () => replace(Inflow.prototype, 'hold', () => () => undefined),
  },
  {
    fault: 'uploads that are not charged to their address',
    among: (scenario) => isSmall(scenario) && isLimited(scenario, 'uploadBytesPerSecondPerAddress'),
    breaks: ["an address's upload limit holds"],
    plant: () =>
      replace(Traffic.prototype, 'chargeUpload', (charge, traffic) => (sizeBytes, share) => {
        charge(sizeBytes, { ...share, upload: new UploadLimit(traffic.uploadBytesPerSecond, 0) });
      }),
  },
  {
    fault: 'the share of an address that is forgotten when its last peer leaves',
    among: (scenario) =>
      scenario.nodes.length < 10 && scenario.hostile.some(({ kind }) => kind === 'comes back for more'),
    breaks: ["an address's upload limit holds"],
    plant() {
      const peers = new WeakMap<AddressShare, number>();
      const count = (share: AddressShare, by: number): number => {
        peers.set(share, (peers.get(share) ?? 0) + by);
        return peers.get(share) ?? 0;
      };
      replace(AddressTraffic.prototype, 'join', (join) => (host, nowMs) => {
        const share = join(host, nowMs);
        if (count(share, 1) === 1) renew(share.upload, nowMs);
        return share;
      });
      replace(AddressTraffic.prototype, 'leave', (leave) => (share) => {
        leave(share);
        count(share, -1);
      });
    },
  },
  {
    fault: 'a slip in the search for who sent bad bytes',
    among: 'hostile',
    breaks: ['honest peers are never banned'],
    plant: () => replace(Suspicions.prototype, 'accuse', () => async (piece) => [...piece.contributors()].at(-1)),
  },
  {
    fault: 'storage that is closed under a running read',
    among: ({ nodes }) =>
      nodes.length < 12 &&
      nodes.some(
        ({ changes, holdings }) =>
          changes.some(({ what }) => what === 'leave') && holdings.some(({ disk }) => disk.slowestMs >= 100),
      ),
    breaks: ['after stop nothing is left', 'storage is not used after it was closed'],
    plant: () => replace(PieceStore.prototype, 'readsSettled', () => async () => undefined),
  },
  {
    fault: 'a reader that nobody wakes',
    among: (scenario) => isSmall(scenario) && isRead(scenario),
    breaks: ['what can complete completes'],
    plant: () => replace(Reader.prototype, 'pieceReadable', () => () => undefined),
  },
  {
    fault: 'a reader that does not hear that it was aborted',
    among: (scenario) => isRead(scenario, ({ abortsAfterMs = Infinity }) => abortsAfterMs < SECOND_MS),
    breaks: ['a reader ends with its bytes or a typed error'],
    plant: () => replace(Reader.prototype, 'fail', () => () => undefined),
  },
  {
    fault: 'a file that is fetched although nobody selected it',
    among: (scenario) => does(scenario, 'select'),
    breaks: ['only what is wanted is asked for'],
    plant: () => replace(Wishes.prototype, 'levelOf', () => () => 2),
  },
  {
    fault: 'a pause that keeps its peers',
    among: (scenario) => does(scenario, 'pause'),
    breaks: ['a paused torrent asks and serves nothing'],
    plant: () => replace(Crowd.prototype, 'setPaused', () => () => undefined),
  },
  {
    fault: 'a private torrent that is taken for a public one',
    among: ({ torrents }) => torrents.every(({ isPrivate }) => isPrivate),
    breaks: ['a private torrent keeps to its tracker'],
    plant: () => replace(Crowd.prototype, 'check', (check) => (nowMs) => check(nowMs, false)),
  },
  {
    fault: 'a leaf that got a wrong bit in memory',
    among: ({ torrents, profile }) => profile === 'streaming' && torrents.some(({ format }) => format !== 'v1'),
    breaks: ['only true hashes leave'],
    plant: () =>
      replace(PieceLeaves.prototype, 'rowsOf', (rowsOf) => async (piece) => {
        const [leaves, ...above] = await rowsOf(piece);
        return [leaves.with(0, (leaves[0] ?? 0) ^ 1), ...above];
      }),
  },
  {
    fault: 'a block that is kept whatever its leaf says',
    among: ({ torrents, hostile }) =>
      torrents.some(({ format }) => format !== 'v1') && hostile.some(({ kind }) => kind.includes('wrong blocks')),
    breaks: ['no block is kept that fails its leaf'],
    plant: () =>
      replace(ActivePiece.prototype, 'reject', (_, piece) => (block) => {
        piece.verify(block);
        return undefined;
      }),
  },
  {
    fault: 'a cipher that changes nothing',
    among: ({ nodes }) => nodes.some(({ host, encryption }) => host.transport === 'tcp' && encryption === 'require'),
    breaks: ['who requires encryption never speaks plainly'],
    plant: () =>
      replace(Rc4.prototype, 'apply', () => (bytes, into) => {
        into?.set(bytes);
      }),
  },
];

function isSmall({ nodes, hostile }: Scenario): boolean {
  return nodes.length < 10 && hostile.length === 0;
}

/** Somebody reads, and so. */
function isRead({ nodes }: Scenario, so: (read: ReadPlan) => boolean = () => true): boolean {
  return nodes.some(({ holdings }) => holdings.some(({ reads }) => reads.some(so)));
}

/** Somebody does this to a torrent. */
function does({ nodes }: Scenario, what: Deed['what']): boolean {
  return nodes.some(({ holdings }) => holdings.some(({ deeds }) => deeds.some((deed) => deed.what === what)));
}

/** Runs the task some promises later, before any virtual time passes. */
function soon(task: () => void, turns = 30): void {
  queueMicrotask(() => (turns === 0 ? task() : soon(task, turns - 1)));
}

/** Some engine or torrent has such a limit, at some time. */
function isLimited({ nodes }: Scenario, name: keyof (RateLimits & AddressRateLimits)): boolean {
  const plans = nodes.flatMap(({ rates, holdings }) => [...rates, ...holdings.flatMap((holding) => holding.rates)]);
  return plans.some(({ limits }) => ((limits as AddressRateLimits & RateLimits)[name] ?? Infinity) < 100 * MIB);
}

/** As if nothing had passed yet. */
function renew(limit: UploadLimit, nowMs: number): void {
  const { bytesPerSecond } = limit;
  limit.limit(Number.POSITIVE_INFINITY, nowMs);
  limit.limit(bytesPerSecond, nowMs);
}

/** The first seeds of that kind. */
function seedsOf(among: Fault['among']): number[] {
  const seeds: number[] = [];
  for (let seed = 0; seeds.length < MAX_SEEDS; seed++) {
    const scenario = drawScenario(seed);
    const isOne = typeof among === 'function' ? among(scenario) : (among ?? scenario.profile) === scenario.profile;
    if (isOne) seeds.push(seed);
  }
  return seeds;
}

afterEach(() => {
  for (const restore of restores.splice(0)) restore();
});

test.each(FAULTS)('$fault is found', { timeout: 120_000 }, async ({ among, breaks, plant }) => {
  plant();
  for (const seed of seedsOf(among)) {
    const { breach } = await simulate(seed);
    if (breach === undefined) continue;
    expect(breaks, breach.message).toContain(breach.invariant);
    return;
  }
  expect.fail(`none of ${MAX_SEEDS} seeds found it`);
});
