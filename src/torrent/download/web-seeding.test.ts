import { expect, test } from 'vitest';
import { httpIsNeeded, httpMayFill, httpShouldYield } from './web-seeding.ts';

test.each([
  { case: 'no peer delivers', swarmArrivalMs: Infinity, httpArrivalMs: 200, dueInMs: 0, needed: true },
  {
    case: 'no peer delivers, but there is time',
    swarmArrivalMs: Infinity,
    httpArrivalMs: 200,
    dueInMs: 2_000,
    needed: false,
  },
  { case: 'the swarm is in time', swarmArrivalMs: 400, httpArrivalMs: 200, dueInMs: 1_000, needed: false },
  { case: 'the swarm is late', swarmArrivalMs: 900, httpArrivalMs: 200, dueInMs: 1_000, needed: true },
  {
    case: 'the swarm is late and HTTP later still',
    swarmArrivalMs: 900,
    httpArrivalMs: 3_000,
    dueInMs: 1_000,
    needed: false,
  },
  { case: 'it is due now and the swarm is quicker', swarmArrivalMs: 90, httpArrivalMs: 200, dueInMs: 0, needed: false },
])('when $case, HTTP is needed: $needed', ({ needed, swarmArrivalMs, httpArrivalMs, dueInMs }) => {
  expect(httpIsNeeded({ use: 'when-needed', swarmArrivalMs, httpArrivalMs, dueInMs })).toBe(needed);
});

test('told to help always, HTTP is needed always', () => {
  expect(httpIsNeeded({ use: 'always', swarmArrivalMs: 1, httpArrivalMs: 9, dueInMs: 9_999 })).toBe(true);
});

test.each([
  { use: 'when-needed', restMs: 2_000, swarmArrivalMs: 50, yields: true },
  { use: 'when-needed', restMs: 250, swarmArrivalMs: 50, yields: false },
  { use: 'when-needed', restMs: 2_000, swarmArrivalMs: 1_900, yields: false },
  { use: 'when-needed', restMs: 60_000, swarmArrivalMs: Infinity, yields: false },
  { use: 'always', restMs: 2_000, swarmArrivalMs: 50, yields: false },
] as const)('HTTP ($use) with $restMs ms to go, the swarm $swarmArrivalMs: yields $yields', ({ yields, ...late }) => {
  expect(httpShouldYield(late)).toBe(yields);
});

test.each([
  { use: 'when-needed', silentMs: 4_999, may: false },
  { use: 'when-needed', silentMs: 5_000, may: true },
  { use: 'always', silentMs: 0, may: true },
] as const)('where nobody reads, $use after $silentMs ms of silence fills: $may', ({ may, ...swarm }) => {
  expect(httpMayFill(swarm)).toBe(may);
});
