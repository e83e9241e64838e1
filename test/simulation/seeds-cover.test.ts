/** What the hundred seeds of every run have among them, so that no promise is kept only because nothing tries it. */
import { expect, test } from 'vitest';
import { ENCRYPTION_HOSTILE_KINDS } from './simulator/encryption-hostiles.ts';
import { HASH_HOSTILE_KINDS } from './simulator/hash-hostiles.ts';
import { PLAIN_HOSTILE_KINDS } from './simulator/hostile.ts';
import { RATE_HOSTILE_KINDS } from './simulator/rate-hostiles.ts';
import type { HoldingPlan, NodePlan, ReadPlan, Scenario } from './simulator/scenario.ts';
import { drawScenario } from './simulator/widening.ts';

const scenarios = Array.from({ length: 100 }, (_, seed) => drawScenario(seed));

/** How many of the seeds are so. */
const count = (isSo: (scenario: Scenario) => boolean): number => scenarios.filter(isSo).length;
const someNode = (isSo: (node: NodePlan) => boolean) => (scenario: Scenario) => scenario.nodes.some(isSo);
const someHolding = (isSo: (holding: HoldingPlan, scenario: Scenario) => boolean) => (scenario: Scenario) =>
  scenario.nodes.some(({ holdings }) => holdings.some((holding) => isSo(holding, scenario)));
const someRead = (isSo: (read: ReadPlan) => boolean) => someHolding(({ reads }) => reads.some(isSo));
const isHybrid = ({ torrent }: HoldingPlan, { torrents }: Scenario): boolean => torrents[torrent]?.format === 'hybrid';

test.each<[what: string, least: number, isSo: (scenario: Scenario) => boolean]>([
  ['dozens of nodes', 30, ({ nodes }) => nodes.length >= 20],
  ['nodes that come and go', 30, someNode(({ changes }) => changes.length > 1)],
  ['v2 torrents', 15, ({ torrents }) => torrents.some(({ format }) => format === 'v2')],
  ['hybrids', 15, ({ torrents }) => torrents.some(({ format }) => format === 'hybrid')],
  ['torrents of several files', 30, ({ torrents }) => torrents.some(({ cuts }) => cuts.length > 0)],
  [
    'peers that speak only v1 of a hybrid',
    10,
    someHolding((it, scenario) => it.half === 'v1' && isHybrid(it, scenario)),
  ],
  [
    'peers that speak only v2 of a hybrid',
    10,
    someHolding((it, scenario) => it.half === 'v2' && isHybrid(it, scenario)),
  ],
  ['magnets', 50, someHolding(({ isMagnet }) => isMagnet)],
  ['encryption required', 15, someNode(({ host, encryption }) => host.transport === 'tcp' && encryption === 'require')],
  ['encryption refused', 15, someNode(({ host, encryption }) => host.transport === 'tcp' && encryption === 'off')],
  ['seeds that sleep until somebody asks', 15, someHolding(({ sleeps }) => sleeps)],
  ['web seeds', 20, someHolding(({ webSeeds }) => webSeeds.length > 0)],
  ['readers with deadlines', 20, someRead(({ deadlineMs = 0 }) => deadlineMs > 0)],
  ['readers of one file', 20, someRead(({ file }) => file !== undefined)],
  ['readers that seek', 20, someRead(({ leavesAfter }) => leavesAfter < 1)],
  ['readers that are aborted', 10, someRead(({ abortsAfterMs }) => abortsAfterMs !== undefined)],
])('%s: in at least %i of a hundred seeds', (_, least, isSo) => {
  expect(count(isSo)).toBeGreaterThanOrEqual(least);
});

test.each(['prioritize', 'select', 'mode', 'pause', 'recheck', 'drop', 'rot', 'restart'])(
  'a torrent that somebody does this to while it runs: %s',
  (what) => {
    expect(count(someHolding(({ deeds }) => deeds.some((deed) => deed.what === what)))).toBeGreaterThanOrEqual(10);
  },
);

/** Limits of engines and torrents, by name. */
const ratesOf = ({ nodes }: Scenario): [name: string, rate: number, atMs: number][] =>
  nodes
    .flatMap(({ rates, holdings }) => [...rates, ...holdings.flatMap((holding) => holding.rates)])
    .flatMap(({ atMs, limits }) =>
      Object.entries(limits).map(([name, rate]): [string, number, number] => [name, Number(rate), atMs]),
    );

test.each([
  'uploadBytesPerSecond',
  'downloadBytesPerSecond',
  'uploadBytesPerSecondPerAddress',
  'downloadBytesPerSecondPerAddress',
])('a limit, from the start or set while running, a tiny one, and one of 0: %s', (name) => {
  const isSet = (isSo: (rate: number, atMs: number) => boolean) => (scenario: Scenario) =>
    ratesOf(scenario).some(([limit, rate, atMs]) => limit === name && isSo(rate, atMs));
  expect(count(isSet((rate, atMs) => rate < Infinity && atMs === 0))).toBeGreaterThanOrEqual(20);
  expect(count(isSet((rate, atMs) => rate < Infinity && atMs > 0))).toBeGreaterThanOrEqual(20);
  expect(count(isSet((rate) => rate === 20_000))).toBeGreaterThanOrEqual(5);
  expect(count(isSet((rate) => rate === 0))).toBeGreaterThanOrEqual(5);
});

test('limits of single torrents: in at least 20 of a hundred seeds', () => {
  expect(count(someHolding(({ rates }) => rates.length > 0))).toBeGreaterThanOrEqual(20);
});

test.each([...PLAIN_HOSTILE_KINDS, ...HASH_HOSTILE_KINDS, ...ENCRYPTION_HOSTILE_KINDS, ...RATE_HOSTILE_KINDS])(
  'a hostile peer: %s',
  (kind) => {
    expect(count(({ hostile }) => hostile.some((peer) => peer.kind === kind))).toBeGreaterThan(0);
  },
);
