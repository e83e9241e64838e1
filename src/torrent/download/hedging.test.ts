import { expect, test } from 'vitest';
import { joinBooks, measuredPeer, type TestPeer } from '../../../test/support/measured-peer.ts';
import { KIB, MIB } from '../../base/units.ts';
import { Geometry } from '../geometry.ts';
import { ActivePiece } from '../pieces/active-piece.ts';
import { ReadingWindow } from '../reading/reading-window.ts';
import { Hedging } from './hedging.ts';

const NOW_MS = 1_000;
const geometry = new Geometry(8 * MIB, MIB);

const peerOf = (bytesPerMs: number | undefined, asked: readonly number[], sinceMs = NOW_MS): TestPeer =>
  measuredPeer(bytesPerMs, asked, sinceMs);

interface Scene {
  readonly dueInMs?: number;
  readonly backupArrivalMs?: number;
  readonly piece?: ActivePiece;
  readonly mayAsk?: boolean;
}

const newPiece = (): ActivePiece => new ActivePiece(geometry, 0, new Uint8Array(MIB), 0);

/** Hedges piece 0, which a reader waits for, and tells who was asked for what. */
function hedge(
  peers: readonly TestPeer[],
  { dueInMs = 0, backupArrivalMs = Number.POSITIVE_INFINITY, piece = newPiece(), mayAsk = true }: Scene = {},
) {
  joinBooks(piece, peers);
  const asked: { peer: number; block: number }[] = [];
  const hedging = new Hedging({
    store: { active: new Map([[0, piece]]), geometry },
    peers: new Set(peers),
    webSeedBlocks: () => [],
    backupArrivalMs: () => backupArrivalMs,
    mayAsk: () => mayAsk,
    ask: (peer, block) => {
      peer.ledger.add(block, peer.pipeline.sent(peer.ledger.size + 1, NOW_MS));
      asked.push({ peer: peers.findIndex((candidate) => candidate === peer), block });
    },
  });
  const span = { piece: 0, fromBlock: 0, untilBlock: 64, dueAtMs: NOW_MS + dueInMs, isUrgent: true };
  hedging.hedge(new ReadingWindow([[span]]), NOW_MS);
  return asked;
}

const blocks = (count: number): number[] => Array.from({ length: count }, (_, block) => block);

test('what a slow peer would bring last goes to an idle quick one, which takes no more than evens them out', () => {
  const slow = peerOf(100, blocks(30));
  const quick = peerOf(1_000, []);
  const asked = hedge([slow, quick]);
  expect(asked[0]).toEqual({ peer: 1, block: 29 });
  // 30 blocks in 1/11 of the time of one: most, but never all of them, or the quick one would be the late one.
  expect(asked.length).toBeGreaterThan(15);
  expect(asked.length).toBeLessThan(29);
  expect(slow.cancelled).toEqual(asked.map(({ block }) => block).filter((block) => block > 0));
});

test('among peers that are alike nothing changes hands', () => {
  expect(hedge([peerOf(1_000, blocks(4)), peerOf(1_000, [4, 5, 6]), peerOf(1_000, [])])).toEqual([]);
});

test('help does not pile up: of twenty blocks of a silent peer each helper takes its share', () => {
  const silent = peerOf(1_000, blocks(20), NOW_MS - 500);
  const helpers = [peerOf(1_000, []), peerOf(1_000, [])];
  const asked = hedge([silent, ...helpers]);
  expect(asked).toHaveLength(20);
  const shares = [1, 2].map((peer) => asked.filter((ask) => ask.peer === peer).length);
  expect(Math.min(...shares)).toBeGreaterThanOrEqual(9);
});

test('a peer that kept a reader waiting gets nothing urgent until it delivers or a second has passed', () => {
  const silent = peerOf(1_000, blocks(4), NOW_MS - 500);
  hedge([silent, peerOf(1_000, [])]);
  expect([999, 1_000].map((ms) => silent.punctuality.isTardy(NOW_MS + ms))).toEqual([true, false]);
  const tardy = peerOf(10_000, []);
  tardy.punctuality.late(NOW_MS - 999);
  expect(hedge([peerOf(100, blocks(20)), tardy])).toEqual([]);
});

test('three silent sources do not hold a block that a fourth could bring: the one silent longest makes room', () => {
  const silent = [300, 500, 400].map((ms) => peerOf(1_000, [0], NOW_MS - ms));
  const piece = newPiece();
  expect(hedge([...silent, peerOf(1_000, [])], { piece })).toEqual([{ peer: 3, block: 0 }]);
  expect(silent.map(({ cancelled }) => cancelled)).toEqual([[], [0], []]);
  expect(silent.map((peer) => piece.lapses.has(0, peer))).toEqual([false, true, false]);
  // It kept the reader waiting, as did the one that was expected first.
  expect(silent.map(({ punctuality }) => punctuality.isTardy(NOW_MS))).toEqual([true, true, false]);
  expect(piece.askers(0)).toBe(3);
});

test.each([
  { newcomer: 'one of proven speed', bytesPerMs: 1_000, displaced: 1 },
  { newcomer: 'one that has proven nothing', bytesPerMs: undefined, displaced: 0 },
])('of three sources that are slow, but on time, $newcomer displaces $displaced', ({ bytesPerMs, displaced }) => {
  const slow = [1, 2, 3].map(() => peerOf(20, [0]));
  const asked = hedge([...slow, peerOf(bytesPerMs, [])]);
  expect(asked).toHaveLength(displaced);
  expect(slow.flatMap(({ cancelled }) => cancelled)).toHaveLength(displaced);
});

test('who let the block lapse before comes behind all others, and is asked where there is no other', () => {
  const piece = newPiece();
  const [lapsed, other] = [peerOf(10_000, []), peerOf(1_000, [])];
  piece.lapses.add(0, lapsed);
  expect(hedge([peerOf(1_000, [0], NOW_MS - 500), lapsed, other], { piece })).toEqual([{ peer: 2, block: 0 }]);
  const again = newPiece();
  again.lapses.add(0, lapsed);
  expect(hedge([peerOf(1_000, [0], NOW_MS - 500), lapsed], { piece: again })).toEqual([{ peer: 1, block: 0 }]);
});

test('where limits allow nothing more, a late block changes hands only as far as it can be taken back', () => {
  const slow = peerOf(100, blocks(30));
  const asked = hedge([slow, peerOf(1_000, [])], { mayAsk: false });
  expect(asked.length).toBeGreaterThan(0);
  expect(slow.cancelled).toEqual(asked.map(({ block }) => block));
  const silent = peerOf(1_000, [0], NOW_MS - 500);
  expect(hedge([silent, peerOf(1_000, [])], { mayAsk: false })).toEqual([]);
  expect(hedge([silent, peerOf(1_000, [])], { mayAsk: true })).toHaveLength(1);
});

test('what comes in time stays where it is', () => {
  expect(hedge([peerOf(100, blocks(30)), peerOf(1_000, [])], { dueInMs: 20_000 })).toEqual([]);
});

test('with no other peer, a silent one gives its blocks up for an idle web seed', () => {
  const silent = peerOf(1_000, blocks(3), NOW_MS - 500);
  expect(hedge([silent], { backupArrivalMs: 100 })).toEqual([]);
  expect(silent.cancelled).toHaveLength(3);
  const lively = peerOf(1_000, blocks(3));
  hedge([lively], { backupArrivalMs: 1 });
  expect(lively.cancelled).toEqual([]);
});

test('a block that is here is asked of nobody, though somebody still owes it', () => {
  const slow = peerOf(100, [0]);
  const piece = new ActivePiece(geometry, 0, new Uint8Array(MIB), 0);
  piece.ask(0);
  piece.receive(0, { sourceId: 7 }, 0);
  const asked: number[] = [];
  const hedging = new Hedging({
    store: { active: new Map([[0, piece]]), geometry },
    peers: new Set([slow, peerOf(10_000, [])]),
    webSeedBlocks: () => [],
    backupArrivalMs: () => Number.POSITIVE_INFINITY,
    mayAsk: () => true,
    ask: (_, block) => asked.push(block),
  });
  const span = { piece: 0, fromBlock: 0, untilBlock: 64, dueAtMs: 0, isUrgent: true };
  hedging.hedge(new ReadingWindow([[span]]), NOW_MS + 64 * KIB);
  expect(asked).toEqual([]);
});
