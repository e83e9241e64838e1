import { expect, test } from 'vitest';
import { Candidates } from './candidates.ts';

const failed = { wasUseful: false, isSeed: false };
const useful = { wasUseful: true, isSeed: false };
const address = { host: '192.0.2.1', port: 1 };

test('an address is dialled once, again after 1, 10, 60 and 300 s, then forgotten', () => {
  const candidates = new Candidates(() => 0.5);
  candidates.add(address, 0);
  let nowMs = 0;
  for (const pauseSec of [1, 10, 60, 300]) {
    expect(candidates.next(nowMs)).toEqual(address);
    expect(candidates.next(nowMs)).toBeUndefined();
    candidates.ended(address, failed, nowMs);
    nowMs += pauseSec * 1000;
    expect(candidates.next(nowMs - 1)).toBeUndefined();
  }
  expect(candidates.next(nowMs)).toEqual(address);
  candidates.ended(address, failed, nowMs);
  expect(candidates.size).toBe(0);
});

test('a peer that was useful is tried again after ten seconds, with all its chances', () => {
  const candidates = new Candidates(() => 0.5);
  candidates.add(address, 0);
  for (const nowMs of [0, 1_000, 11_000]) {
    candidates.next(nowMs);
    candidates.ended(address, failed, nowMs);
  }
  candidates.next(71_000);
  candidates.ended(address, useful, 71_000);
  expect(candidates.next(80_999)).toBeUndefined();
  expect(candidates.next(81_000)).toEqual(address);
});

test('a peer that says it is there is tried at once, with all its chances, unless it is being dialled', () => {
  const candidates = new Candidates(() => 0.5);
  candidates.add(address, 0);
  candidates.next(0);
  candidates.renew(address, 100);
  expect(candidates.next(100)).toBeUndefined();
  candidates.ended(address, failed, 100);
  candidates.renew(address, 200);
  expect(candidates.next(200)).toEqual(address);
  candidates.ended(address, failed, 200);
  expect(candidates.next(1_200)).toEqual(address);
});

test('the same address is taken once, and no more than 500 are', () => {
  const candidates = new Candidates(() => 0.5);
  expect(candidates.add(address, 0)).toBe(true);
  expect(candidates.add({ ...address }, 0)).toBe(false);
  for (let port = 2; port < 1_000; port++) candidates.add({ host: '::1', port }, 0);
  expect(candidates.size).toBe(500);
});

test.each([
  { random: 0, pauseMs: 750 },
  { random: 0.999_999, pauseMs: 1_250 },
])('pauses vary by a quarter, so that peers do not knock in step ($random)', ({ random, pauseMs }) => {
  const candidates = new Candidates(() => random);
  candidates.add(address, 0);
  candidates.next(0);
  candidates.ended(address, failed, 0);
  expect([candidates.next(pauseMs - 1), candidates.next(pauseMs)]).toEqual([undefined, address]);
});

test('when the table is full a new address takes the place of the one that failed most often', () => {
  const candidates = new Candidates(() => 0.5);
  for (let port = 1; port <= 500; port++) candidates.add({ host: '192.0.2.1', port }, 0);
  expect(candidates.add({ host: '192.0.2.2', port: 1 }, 0)).toBe(false);
  for (const [times, port] of [
    [1, 1],
    [2, 2],
  ] as const)
    for (let time = 0; time < times; time++) candidates.ended({ host: '192.0.2.1', port }, failed, 0);
  expect(candidates.add({ host: '192.0.2.2', port: 1 }, 0)).toBe(true);
  expect(candidates.add({ host: '192.0.2.1', port: 2 }, 0)).toBe(true); // forgotten before, it is new, and 1 goes
  expect(candidates.add({ host: '192.0.2.1', port: 1 }, 0)).toBe(false); // no other has failed
  expect(candidates.size).toBe(500);
});

test('one that could not be dialled just now stays in line; one forgotten does not come back', () => {
  const candidates = new Candidates(() => 0.5);
  candidates.add(address, 0);
  candidates.next(0);
  candidates.postpone(address);
  expect(candidates.next(0)).toEqual(address);
  candidates.forget(address);
  candidates.ended(address, useful, 0);
  expect(candidates.hasWaiting()).toBe(false);
});

test('one that turned out to be a seed waits until seeds are wanted again', () => {
  const candidates = new Candidates(() => 0.5);
  candidates.add(address, 0);
  candidates.next(0);
  candidates.ended(address, { wasUseful: true, isSeed: true }, 0);
  expect([candidates.hasWaiting(false), candidates.next(60_000, false)]).toEqual([false, undefined]);
  candidates.renewAll(60_000);
  expect(candidates.next(60_000, true)).toEqual(address);
});
