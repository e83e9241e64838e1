import { describe, expect, test } from 'vitest';
import { UploadSlots } from './upload-slots.ts';

/** Asks for `wanted` and takes what is allowed; returns that. */
function take(slots: UploadSlots, holder: object, wanted: number): number {
  const allowed = slots.allowance(holder, wanted);
  slots.hold(holder, allowed);
  return allowed;
}

describe('upload slots', () => {
  test('are given as long as there are any, never more', () => {
    const slots = new UploadSlots(10);
    const [a, b, c] = [{}, {}, {}];
    expect([take(slots, a, 6), take(slots, b, 6), take(slots, c, 6), slots.held]).toEqual([6, 4, 0, 10]);
  });

  test('asking again for what one holds changes nothing', () => {
    const slots = new UploadSlots(10);
    const a = {};
    expect([take(slots, a, 10), take(slots, a, 10), slots.held]).toEqual([10, 10, 10]);
  });

  test('who has none gets a share as soon as the others had their round, and then everybody may grow again', () => {
    const slots = new UploadSlots(9);
    const [a, b, c] = [{}, {}, {}];
    expect([take(slots, a, 9), take(slots, b, 9), take(slots, c, 9)]).toEqual([9, 0, 0]);
    expect([take(slots, a, 9), take(slots, b, 3), take(slots, c, 3), slots.held]).toEqual([3, 3, 3, 9]);
    slots.leave(b);
    slots.leave(c);
    expect(take(slots, a, 9)).toBe(9);
  });

  test('who leaves waits no longer, and nobody shrinks for them', () => {
    const slots = new UploadSlots(4);
    const [a, b] = [{}, {}];
    expect([take(slots, a, 4), take(slots, b, 4)]).toEqual([4, 0]);
    slots.leave(b);
    expect(take(slots, a, 4)).toBe(4);
  });

  test('where there are more torrents than slots, each that has one keeps one', () => {
    const slots = new UploadSlots(2);
    const [a, b, c] = [{}, {}, {}];
    expect([take(slots, a, 1), take(slots, b, 1), take(slots, c, 1)]).toEqual([1, 1, 0]);
    expect([take(slots, a, 1), take(slots, b, 1), slots.held]).toEqual([1, 1, 2]);
  });
});
