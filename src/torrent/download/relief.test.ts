import { expect, test } from 'vitest';
import { joinBooks, measuredPeer, type TestPeer } from '../../../test/support/measured-peer.ts';
import { MIB } from '../../base/units.ts';
import { Geometry } from '../geometry.ts';
import { ActivePiece } from '../pieces/active-piece.ts';
import { Relief } from './relief.ts';

/** When the slowest have been measured. */
const NOW_MS = 1_000_000;
const ROOM = 32;
const geometry = new Geometry(8 * MIB, MIB);
const blocks = (count: number): number[] => Array.from({ length: count }, (_, block) => block);
const peerOf = (bytesPerMs: number | undefined, asked: readonly number[] = []): TestPeer =>
  measuredPeer(bytesPerMs, asked, NOW_MS);

interface Scene {
  readonly isLastLap?: boolean;
  /** Who let block 0 lapse before. */
  readonly lapsed?: readonly TestPeer[];
  readonly exclusiveTo?: TestPeer;
}

/** Relieves piece 0, and tells who was asked for what. */
function relieve(peers: readonly TestPeer[], { isLastLap = true, lapsed = [], exclusiveTo }: Scene = {}) {
  const piece = new ActivePiece(geometry, 0, new Uint8Array(MIB), 0);
  piece.exclusiveTo = exclusiveTo;
  joinBooks(piece, peers);
  for (const peer of lapsed) piece.lapses.add(0, peer);
  const asked: { peer: number; block: number }[] = [];
  const relief = new Relief({
    store: { active: new Map([[0, piece]]), geometry },
    peers: new Set(peers),
    isLastLap: () => isLastLap,
    room: (peer) => ROOM - peer.ledger.size,
    ask: (peer, block) => {
      peer.ledger.add(block, peer.pipeline.sent(peer.ledger.size + 1, NOW_MS));
      asked.push({ peer: peers.indexOf(peer), block });
    },
  });
  relief.relieve(NOW_MS);
  return {
    asked,
    askers: (block: number) => piece.askers(block),
    hasLapsed: (block: number, peer: TestPeer) => piece.lapses.has(block, peer),
  };
}

test('what a slow peer holds goes to a quick one, the last first, as far as it has room; what may be on its way stays too', () => {
  const slow = peerOf(4, blocks(8));
  const { asked } = relieve([slow, peerOf(1_000)]);
  expect(asked).toEqual([7, 6, 5, 4, 3, 2, 1, 0].map((block) => ({ peer: 1, block })));
  expect(slow.cancelled).toEqual([7, 6, 5, 4, 3, 2, 1]);
  expect(relieve([peerOf(4, blocks(60)), peerOf(1_000)]).asked).toHaveLength(ROOM);
});

test('while other pieces are left, only who is idle helps, and only where it takes more than two seconds', () => {
  const busy = { isLastLap: false };
  expect(relieve([peerOf(4, blocks(8)), peerOf(1_000, [40])], busy).asked).toEqual([]);
  // A block takes four seconds, or half a second.
  expect(relieve([peerOf(4, blocks(2)), peerOf(1_000)], busy).asked).toHaveLength(2);
  expect(relieve([peerOf(32, blocks(2)), peerOf(1_000)], busy).asked).toEqual([]);
  expect(relieve([peerOf(32, blocks(2)), peerOf(1_000)]).asked).toHaveLength(2);
});

test('among peers that are alike nothing changes hands', () => {
  expect(relieve([peerOf(20, [0, 1]), peerOf(20, [2, 3]), peerOf(20)]).asked).toEqual([]);
});

test('three slow sources of one block do not keep the quick one out: the slowest makes room', () => {
  const slow = [peerOf(8, [0]), peerOf(2, [0]), peerOf(4, [0])];
  const { asked, askers } = relieve([...slow, peerOf(1_000)]);
  expect(asked).toEqual([{ peer: 3, block: 0 }]);
  expect(slow.map(({ cancelled }) => cancelled)).toEqual([[], [0], []]);
  expect(askers(0)).toBe(3);
});

test('who has proven nothing may help, but displaces nobody', () => {
  const slow = peerOf(4, blocks(8));
  const { asked } = relieve([slow, peerOf(undefined)]);
  expect(asked).toHaveLength(8);
  expect(slow.cancelled).toEqual([]);
  const three = [peerOf(4, [0]), peerOf(4, [0]), peerOf(4, [0])];
  expect(relieve([...three, peerOf(undefined)]).asked).toEqual([]);
  expect(three.flatMap(({ cancelled }) => cancelled)).toEqual([]);
});

test('who is late gives way to anybody, and is not asked for the block again', () => {
  const late = [1, 2, 3].map(() => measuredPeer(1_000, [0], NOW_MS - 500));
  const { asked, hasLapsed } = relieve([...late, peerOf(undefined)]);
  expect(asked).toEqual([{ peer: 3, block: 0 }]);
  expect(late.filter(({ cancelled }) => cancelled.length > 0)).toHaveLength(1);
  expect(late.map((peer) => hasLapsed(0, peer))).toEqual(late.map(({ cancelled }) => cancelled.length > 0));
});

test('a proven helper goes before one that has proven nothing, however quick that may be', () => {
  expect(relieve([peerOf(4, [0]), peerOf(undefined), peerOf(100)]).asked).toEqual([{ peer: 2, block: 0 }]);
});

test('who let the block lapse helps only while it delivers, and who delivers nothing does not', () => {
  const lapsed = { ...peerOf(1_000), lastBlockAtMs: NOW_MS - 1_001 };
  expect(relieve([peerOf(4, [0]), lapsed], { lapsed: [lapsed] }).asked).toEqual([]);
  const bursting = { ...peerOf(1_000), lastBlockAtMs: NOW_MS - 900 };
  expect(relieve([peerOf(4, [0]), bursting], { lapsed: [bursting] }).asked).toEqual([{ peer: 1, block: 0 }]);
  expect(relieve([peerOf(4, [0]), { ...peerOf(1_000), isSnubbed: true }]).asked).toEqual([]);
});

test('a piece bound to one source stays with it', () => {
  const slow = peerOf(4, blocks(4));
  expect(relieve([slow, peerOf(1_000)], { exclusiveTo: slow }).asked).toEqual([]);
});
