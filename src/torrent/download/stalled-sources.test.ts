import { expect, test } from 'vitest';
import { joinBooks, measuredPeer, type TestPeer } from '../../../test/support/measured-peer.ts';
import { MIB } from '../../base/units.ts';
import { Geometry } from '../geometry.ts';
import { ActivePiece } from '../pieces/active-piece.ts';
import { ReadingWindow } from '../reading/reading-window.ts';
import { releaseStalled } from './stalled-sources.ts';

const NOW_MS = 100_000;
const geometry = new Geometry(8 * MIB, MIB);
const idle = (): TestPeer => measuredPeer(1_000, [], NOW_MS);
/** Asked for blocks so long ago, and silent since. */
const silentFor = (ms: number, asked: readonly number[]): TestPeer => measuredPeer(1_000, asked, NOW_MS - ms);
const unprovenFor = (ms: number): TestPeer => measuredPeer(undefined, [0], NOW_MS - ms);

interface Scene {
  /** Blocks [0, wanted) of piece 0 are read. */
  readonly wanted?: number;
  readonly exclusiveTo?: TestPeer;
}

function release(peers: readonly TestPeer[], { wanted = 64, exclusiveTo }: Scene = {}): ActivePiece {
  const piece = new ActivePiece(geometry, 0, new Uint8Array(MIB), 0);
  piece.exclusiveTo = exclusiveTo;
  joinBooks(piece, peers);
  const span = { piece: 0, fromBlock: 0, untilBlock: wanted, dueAtMs: NOW_MS + 20_000, isUrgent: false };
  const window = wanted === 0 ? ReadingWindow.empty : new ReadingWindow([[span]]);
  releaseStalled(new Set(peers), { active: new Map([[0, piece]]), geometry }, window, NOW_MS);
  return piece;
}

test('what a reader needs much later is free at once where its source has stopped, and that source is in doubt', () => {
  const silent = silentFor(1_100, [0, 1, 2]);
  const piece = release([silent, idle()]);
  expect(silent.cancelled).toEqual([0, 1, 2]);
  expect([0, 1, 2].map((block) => [piece.isFree(block), piece.lapses.has(block, silent)])).toEqual(
    [0, 1, 2].map(() => [true, true]),
  );
  expect([silent.punctuality.isInDoubt, silent.punctuality.isTardy(NOW_MS + 999)]).toEqual([true, true]);
});

test('what nobody reads stays', () => {
  const silent = silentFor(1_100, [0, 1, 40]);
  release([silent, idle()], { wanted: 1 });
  expect(silent.cancelled).toEqual([0]);
  const unread = silentFor(1_100, [0]);
  release([unread, idle()], { wanted: 0 });
  expect([unread.cancelled, unread.punctuality.isInDoubt]).toEqual([[], false]);
});

test.each<[string, () => TestPeer]>([
  ['has delivered within the last second', () => silentFor(900, [0])],
  ['is slow, but on time', () => measuredPeer(10, [0], NOW_MS - 1_100)],
  ['has delivered nothing yet and may be far away', () => unprovenFor(240)],
])('a source that %s keeps what it was asked for', (_case, source) => {
  const peer = source();
  release([peer, idle()]);
  expect([peer.cancelled, peer.punctuality.isInDoubt]).toEqual([[], false]);
});

test('one that has never delivered has stopped a quarter of a second after it was asked', () => {
  const peer = unprovenFor(260);
  release([peer, idle()]);
  expect(peer.cancelled).toEqual([0]);
});

test.each<[string, () => TestPeer]>([
  ['has stopped, too', () => silentFor(1_500, [9])],
  ['has never delivered', () => measuredPeer(undefined, [], NOW_MS)],
  ['chokes us', () => ({ ...idle(), mayRequest: false })],
  ['lacks the piece', () => ({ ...idle(), serves: () => false })],
  ['is snubbed', () => ({ ...idle(), isSnubbed: true })],
])('nothing is taken where the only other source %s', (_case, other) => {
  const silent = silentFor(1_100, [0]);
  release([silent, other()]);
  expect(silent.cancelled).toEqual([]);
});

test('nothing is taken where the only other source was late a moment ago', () => {
  const [silent, tardy] = [silentFor(1_100, [0]), idle()];
  tardy.punctuality.late(NOW_MS - 10);
  release([silent, tardy]);
  expect(silent.cancelled).toEqual([]);
});

test('a piece bound to one source stays with it', () => {
  const silent = silentFor(1_100, [0]);
  release([silent, idle()], { exclusiveTo: silent });
  expect(silent.cancelled).toEqual([]);
});
