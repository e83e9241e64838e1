import { expect, test } from 'vitest';
import { RequestLedger, type OpenRequest } from './request-ledger.ts';

const request = (sentAtMs: number): OpenRequest => ({
  sentAtMs,
  deliveredBytes: 0,
  deliveredAtMs: 0,
  queuedBlocks: 1,
});

test('a block settles its request once; a second copy was not asked for', () => {
  const ledger = new RequestLedger();
  ledger.add(7, request(1));
  expect(ledger.settleBlock(7)).toMatchObject({ wasOpen: true });
  expect(ledger.isExpected(7)).toBe(false);
  expect(ledger.settleBlock(7)).toBeUndefined();
});

test('a cancelled request may still be answered, by a block or a reject, once', () => {
  const ledger = new RequestLedger();
  for (const key of [1, 2]) ledger.add(key, request(key));
  expect(ledger.cancelAll()).toEqual([1, 2]);
  expect(ledger.size).toBe(0);
  expect(ledger.settleBlock(1)).toMatchObject({ wasOpen: false });
  expect(ledger.settleReject(2)).toMatchObject({ wasOpen: false });
  expect([ledger.isExpected(1), ledger.isExpected(2)]).toEqual([false, false]);
});

test('asked, cancelled and asked again: the reject belongs to the cancel, the block to the second request', () => {
  const ledger = new RequestLedger();
  ledger.add(5, request(1));
  ledger.cancel(5);
  ledger.add(5, request(2));
  expect(ledger.settleReject(5)).toMatchObject({ wasOpen: false, request: { sentAtMs: 1 } });
  expect(ledger.settleBlock(5)).toMatchObject({ wasOpen: true, request: { sentAtMs: 2 } });
  expect(ledger.settleBlock(5)).toBeUndefined();
});

test('both answers may also be blocks: none of them looks unasked for', () => {
  const ledger = new RequestLedger();
  ledger.add(5, request(1));
  ledger.cancel(5);
  ledger.add(5, request(2));
  expect(ledger.settleBlock(5)).toMatchObject({ wasOpen: true });
  expect(ledger.isExpected(5)).toBe(true);
  expect(ledger.settleBlock(5)).toMatchObject({ wasOpen: false });
});

test('which of two requests a block answers cannot be told, so that no delay is learned of it', () => {
  const ledger = new RequestLedger();
  ledger.add(5, request(1));
  ledger.cancel(5);
  ledger.add(5, request(2));
  ledger.add(6, request(2));
  expect([ledger.settleBlock(5), ledger.settleBlock(6)]).toMatchObject([{ isAmbiguous: true }, { isAmbiguous: false }]);
  expect(ledger.settleBlock(5)).toMatchObject({ wasOpen: false, isAmbiguous: false });
});

test('of a peer that never answers cancels only the last 1,024 are remembered', () => {
  const ledger = new RequestLedger();
  for (let key = 0; key < 3_000; key++) {
    ledger.add(key, request(key));
    ledger.cancel(key);
  }
  expect(ledger.isExpected(3_000 - 1_024)).toBe(true);
  expect(ledger.isExpected(3_000 - 1_025)).toBe(false);
});

test('a block that is of no use any more answers the request that was taken back, and the second stays open', () => {
  const ledger = new RequestLedger();
  ledger.add(5, request(1));
  ledger.cancel(5);
  ledger.add(5, request(2));
  expect(ledger.settleBlock(5, false)).toMatchObject({ wasOpen: false, request: { sentAtMs: 1 } });
  expect(ledger.settleBlock(5)).toMatchObject({ wasOpen: true, request: { sentAtMs: 2 } });
});

test('lapses in a row are counted until a useful block comes; a useless one excuses nothing', () => {
  const ledger = new RequestLedger();
  ledger.add(1, request(1));
  ledger.add(2, request(2));
  ledger.lapsed();
  ledger.lapsed();
  ledger.settleBlock(1, false);
  expect(ledger.lapses).toBe(2);
  ledger.settleBlock(2, true);
  expect(ledger.lapses).toBe(0);
});
