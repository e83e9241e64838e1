import { expect, test } from 'vitest';
import { playRound } from './rounds.ts';

/** Torrents of which each says when it asked and served last, and who reads. */
function playersOf(
  plans: readonly { askedAtMs?: number; servedAtMs?: number; isRead?: boolean }[],
  isLimited: boolean,
) {
  const told: string[] = [];
  const players = plans.map(({ askedAtMs = 0, servedAtMs = 0, isRead = false }, at) => ({
    traffic: { askedAtMs, servedAtMs, isLimited },
    isRead,
    crowd: { pump: () => void told.push(`serve ${at}`) },
    tick: () => told.push(`ask ${at}`) > 0,
  }));
  return { told, players };
}

const ODD_MS = 100;
const EVEN_MS = 300;

test.each([
  { isLimited: true, nowMs: EVEN_MS, order: ['ask 1', 'ask 2', 'ask 0', 'serve 2', 'serve 0', 'serve 1'] },
  { isLimited: true, nowMs: ODD_MS, order: ['ask 0', 'ask 1', 'ask 2', 'serve 2', 'serve 0', 'serve 1'] },
  { isLimited: false, nowMs: ODD_MS, order: ['ask 0', 'ask 1', 'ask 2', 'serve 0', 'serve 1', 'serve 2'] },
])('at $nowMs ms, limited: $isLimited, the order is $order', ({ isLimited, nowMs, order }) => {
  const plans = [
    { askedAtMs: 30, servedAtMs: 20, isRead: true },
    { askedAtMs: 10, servedAtMs: 30 },
    { askedAtMs: 20, servedAtMs: 10 },
  ];
  const { told, players } = playersOf(plans, isLimited);
  expect(playRound(players, nowMs)).toEqual([]);
  expect(told).toEqual(order);
});

test('in two rounds of three readers come first', () => {
  const firsts = Array.from({ length: 30 }, (_, round) => {
    const { told, players } = playersOf([{ askedAtMs: 0 }, { askedAtMs: 9, isRead: true }], true);
    playRound(players, 100 * round + 7);
    return told[0];
  });
  expect(firsts.filter((first) => first === 'ask 1')).toHaveLength(20);
});

test('those with nothing to do are named', () => {
  const { players } = playersOf([{}, {}], false);
  const [first, second] = players;
  expect(playRound([{ ...first, tick: () => false }, second] as typeof players, 0)).toHaveLength(1);
});
