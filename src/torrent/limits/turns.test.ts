import { expect, test } from 'vitest';
import { TokenBucket } from './rate.ts';
import { allowanceInTurn, Turns, type LimitInTurn } from './turns.ts';

test('somebody else waits from its refusal until it is served, or has not asked for two rounds', () => {
  const turns = new Turns();
  turns.refused(1, 0);
  expect([turns.othersWait(1, 0), turns.othersWait(2, 0)]).toEqual([false, true]);
  turns.served(1);
  expect(turns.othersWait(2, 0)).toBe(false);
  turns.refused(1, 0);
  turns.refused(3, 250);
  turns.refused(1, 300);
  expect([turns.othersWait(2, 550), turns.othersWait(1, 550), turns.othersWait(1, 551)]).toEqual([true, true, false]);
  expect(turns.othersWait(2, 601)).toBe(false);
});

function limitOf(bytesPerSecond: number): LimitInTurn & { readonly bucket: TokenBucket } {
  const bucket = new TokenBucket(bytesPerSecond, 0);
  return { bucket, bytesPerSecond, available: (nowMs) => bucket.available(nowMs), turns: new Turns() };
}

const asks = (who: number, isRound = false) => ({ who, isRound, leastBytes: 16_384, nowMs: 0 });

test('the tightest limit decides, and one below what is of use gives nothing', () => {
  const [narrow, wide] = [limitOf(1_000_000), limitOf(4_000_000)];
  expect(allowanceInTurn([narrow, wide], asks(1))).toBe(250_000);
  wide.bucket.take(900_000);
  expect(allowanceInTurn([narrow, wide], asks(1))).toBe(100_000);
  wide.bucket.take(90_000);
  expect(allowanceInTurn([narrow, wide], asks(1))).toBe(0);
  expect(allowanceInTurn([], asks(1))).toBe(Number.POSITIVE_INFINITY);
  expect(allowanceInTurn([limitOf(Number.POSITIVE_INFINITY)], asks(1))).toBe(Number.POSITIVE_INFINITY);
});

test('who asks out of a round gets nothing while another waits; in a round, or alone, it does', () => {
  const limit = limitOf(1_000_000);
  limit.turns.refused(2, 0);
  expect(allowanceInTurn([limit], asks(1))).toBe(0);
  expect(limit.turns.othersWait(2, 0)).toBe(true);
  expect(allowanceInTurn([limit], asks(1, true))).toBe(250_000);
  expect(allowanceInTurn([limit], asks(2))).toBe(250_000);
});

test('who is refused by its own limit takes nobody a turn under a wider one', () => {
  const [own, shared] = [limitOf(0), limitOf(1_000_000)];
  expect(allowanceInTurn([own, shared], asks(1))).toBe(0);
  expect(allowanceInTurn([shared], asks(2))).toBe(250_000);
});
