/** A source under a download limit: what it is charged for, and when it is held. */
import { expect, test } from 'vitest';
import { DownloadLimit } from './download-limit.ts';
import { Inflow } from './inflow.ts';

const RATE = 1_000_000;
/** A quarter of a second's worth. */
const BURST = 250_000;
const UNLIMITED = Number.POSITIVE_INFINITY;

function newSource(...limits: DownloadLimit[]) {
  const does: string[] = [];
  const inflow = new Inflow(limits, {
    hold: () => does.push('hold'),
    release: () => does.push('release'),
    wasHeld: () => undefined,
    takeBack: () => {
      does.push('take back');
      inflow.takenBack(100_000);
    },
  });
  inflow.open();
  return { inflow, does };
}

test.each<[what: string, left: number, events: (inflow: Inflow) => void]>([
  ['what is asked for is charged', 150_000, (it) => it.asked(100_000, 0)],
  ['what comes as expected is not charged again', 150_000, (it) => (it.asked(100_000, 0), it.came(100_000, 0))],
  ['what is taken back is given back', 250_000, (it) => (it.asked(100_000, 0), it.takenBack(100_000))],
  ['it is given back once', 100_000, (it) => (it.asked(250_000, 0), it.takenBack(100_000))],
  [
    'what has come is not given back',
    150_000,
    (it) => (it.asked(100_000, 0), it.came(100_000, 0), it.takenBack(100_000)),
  ],
  [
    'taken back and come all the same, it is charged',
    150_000,
    (it) => (it.asked(100_000, 0), it.takenBack(100_000), it.came(100_000, 0)),
  ],
  ['what nobody expected is charged', 200_000, (it) => it.came(50_000, 0)],
  [
    'a source that is gone owes nothing, and what came of it stays charged',
    210_000,
    (it) => (it.asked(100_000, 0), it.came(40_000, 0), it.close()),
  ],
])('%s: %i bytes are left', (_, left, events) => {
  const limits = [new DownloadLimit(RATE, 0), new DownloadLimit(UNLIMITED, 0), new DownloadLimit(RATE, 0)];
  events(newSource(...limits).inflow);
  expect(limits.map((limit) => limit.available(0))).toEqual([left, UNLIMITED, left]);
});

test('while more came than may, nothing is read of anybody under the limit; then all go on', () => {
  const [shared, own] = [new DownloadLimit(RATE, 0), new DownloadLimit(RATE, 0)];
  const [greedy, other, stranger] = [newSource(own, shared), newSource(shared), newSource(new DownloadLimit(RATE, 0))];
  greedy.inflow.came(BURST, 0);
  expect([greedy.inflow.isHeld, other.inflow.isHeld]).toEqual([false, false]);
  greedy.inflow.came(50_000, 0);
  const late = newSource(shared);
  expect([greedy, other, late, stranger].map(({ does }) => does)).toEqual([['hold'], ['hold'], ['hold'], []]);
  for (const { inflow } of [greedy, other, late]) inflow.check(49);
  expect([greedy.inflow.isHeld, other.inflow.isHeld]).toEqual([true, true]);
  for (const { inflow } of [greedy, other, late]) inflow.check(50);
  expect([greedy, other, late].map(({ does }) => does.at(-1))).toEqual(['release', 'release', 'release']);
});

test('a long silence saves no more than the burst: what comes after it all at once is too much', () => {
  const { inflow } = newSource(new DownloadLimit(RATE, 0));
  inflow.came(BURST, 60_000);
  expect(inflow.isHeld).toBe(false);
  inflow.came(1, 60_000);
  expect(inflow.isHeld).toBe(true);
});

test('a limit set lower takes back what was asked for; what comes nevertheless is charged, once', () => {
  const limit = new DownloadLimit(UNLIMITED, 0);
  const { inflow, does } = newSource(limit);
  inflow.asked(100_000, 0);
  inflow.asked(50_000, 0);
  limit.limit(RATE, 0);
  expect(does).toEqual(['take back']);
  expect(limit.available(0)).toBe(BURST);
  inflow.came(150_000, 0);
  expect(limit.available(0)).toBe(BURST - 150_000);
  limit.limit(2 * RATE, 0);
  expect(does).toEqual(['take back']);
});

test.each([0, UNLIMITED])('a limit changed to %d holds nobody for ever', (bytesPerSecond) => {
  const limit = new DownloadLimit(RATE, 0);
  const { inflow } = newSource(limit);
  inflow.came(10 * BURST, 0);
  expect(inflow.isHeld).toBe(true);
  limit.limit(bytesPerSecond, 0);
  inflow.check(0);
  expect(inflow.isHeld).toBe(false);
  inflow.came(BURST, 0);
  expect(inflow.isHeld).toBe(false);
});
