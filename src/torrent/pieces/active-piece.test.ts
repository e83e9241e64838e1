import { expect, test } from 'vitest';
import { KIB } from '../../base/units.ts';
import { Geometry } from '../geometry.ts';
import { ActivePiece } from './active-piece.ts';

const [alice, bob] = [{ sourceId: 1 }, { sourceId: 2 }];
const geometry = new Geometry(100 * KIB, 64 * KIB);
const piece = (index = 0): ActivePiece => new ActivePiece(geometry, index, new Uint8Array(64 * KIB), 0);

test('blocks are free, asked, or received; counts follow', () => {
  const active = piece();
  active.ask(0);
  active.ask(1);
  active.receive(1, alice, 5);
  expect([active.freeBlocks, active.askedBlocks, active.receivedBlocks]).toEqual([2, 1, 1]);
  active.unask(0);
  expect([active.freeBlocks, active.askedBlocks, active.receivedBlocks]).toEqual([3, 0, 1]);
  expect(active.firstFree()).toBe(0);
});

test('a block asked of two becomes free only when both are gone', () => {
  const active = piece();
  active.ask(2);
  active.ask(2);
  active.unask(2);
  expect(active.isFree(2)).toBe(false);
  active.unask(2);
  expect(active.isFree(2)).toBe(true);
  active.unask(2);
  expect(active.freeBlocks).toBe(4);
});

test('a received block stays received, whoever gives up or sends it again', () => {
  const active = piece();
  active.ask(3);
  expect(active.receive(3, alice, 1)).toBe(true);
  active.unask(3);
  expect(active.receive(3, bob, 2)).toBe(false);
  expect(active.deliveries[3]).toBe(alice);
  expect(active.isReceived(3)).toBe(true);
});

test('the last piece is short and so is its last block', () => {
  const active = piece(1);
  expect([active.sizeBytes, active.blockCount]).toEqual([36 * KIB, 3]);
  for (const block of [0, 1, 2]) active.receive(block, alice, 1);
  expect(active.isComplete).toBe(true);
});

test('only one source writes into a block at a time; the other may when the first gives up', () => {
  const active = piece();
  expect(active.beginWrite(0, alice)).toBe(true);
  expect(active.beginWrite(0, bob)).toBe(false);
  active.abandonWrite(0, bob);
  expect(active.beginWrite(0, bob)).toBe(false);
  active.abandonWrite(0, alice);
  expect(active.beginWrite(0, bob)).toBe(true);
});

test('once a block is received or the piece is gone, no claim stands', () => {
  const active = piece();
  active.beginWrite(0, alice);
  active.receive(0, bob, 1);
  expect(active.mayWrite(0, alice)).toBe(false);
  active.beginWrite(1, alice);
  active.revokeWriters();
  expect(active.mayWrite(1, alice)).toBe(false);
});

test('free blocks are found in order, from where the search left off and round', () => {
  const active = piece();
  const order: (number | undefined)[] = [];
  for (let at = 0; at < 5; at++) {
    const block = active.firstFree();
    order.push(block);
    if (block !== undefined) active.ask(block);
  }
  expect(order).toEqual([0, 1, 2, 3, undefined]);
});
