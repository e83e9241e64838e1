import { expect, test } from 'vitest';
import { chooseUnchoked, type ChokeCandidate, type ChokeRules } from './choker.ts';
import { uploadSlots } from './choking.ts';

const candidate = (id: number, facts: Partial<ChokeCandidate> = {}): ChokeCandidate => ({
  id,
  isUnchoked: false,
  downloadRate: 0,
  uploadRate: 0,
  isSnubbed: false,
  isWasteful: false,
  changedAtMs: 0,
  isNew: false,
  ...facts,
});

const rules = (facts: Partial<ChokeRules> = {}): ChokeRules => ({
  slots: 2,
  seeding: false,
  optimistic: undefined,
  rotate: true,
  nowMs: 100_000,
  random: () => 0,
  ...facts,
});

test('while leeching the best givers hold the slots, and one more is tried', () => {
  const peers = [10, 40, 30, 20].map((downloadRate, id) => candidate(id, { downloadRate }));
  const { unchoked, optimistic } = chooseUnchoked(peers, rules({ random: () => 0.99 }));
  expect([...unchoked].toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
  expect(optimistic).toBe(0);
});

test('a peer that snubs us gets no regular slot, however fast it was', () => {
  const peers = [candidate(1, { downloadRate: 900, isSnubbed: true }), candidate(2), candidate(3)];
  const { unchoked, optimistic } = chooseUnchoked(peers, rules());
  expect(unchoked).toEqual(new Set([2, 3, 1]));
  expect(optimistic).toBe(1);
});

test('the optimistic one keeps its chance until its turn is over', () => {
  const peers = [1, 2, 3, 4, 5].map((id) => candidate(id, { downloadRate: id }));
  expect(chooseUnchoked(peers, rules({ optimistic: 2, rotate: false })).optimistic).toBe(2);
  expect(chooseUnchoked(peers, rules({ optimistic: 2, rotate: true })).optimistic).not.toBe(2);
});

test('newcomers are tried three times as often', () => {
  const peers = [
    candidate(1, { downloadRate: 9 }),
    candidate(2, { downloadRate: 8 }),
    candidate(3),
    candidate(4, { isNew: true }),
  ];
  const tried = [0, 0.25, 0.5, 0.75].map((value) => chooseUnchoked(peers, rules({ random: () => value })).optimistic);
  expect(tried).toEqual([3, 4, 4, 4]);
});

test('while seeding, who does not use its slot makes room within its minute, and keeps it where nobody waits', () => {
  const holder = candidate(1, { isUnchoked: true, changedAtMs: 90_000, isWasteful: true });
  const [reading, waiting] = [candidate(2, { isUnchoked: true, changedAtMs: 90_000 }), candidate(3)];
  const chosen = (peers: ChokeCandidate[]) => chooseUnchoked(peers, rules({ seeding: true, rotate: false })).unchoked;
  expect(chosen([holder, reading]).has(1)).toBe(true);
  expect([...chosen([{ ...holder, isWasteful: false }, reading, waiting])].slice(0, 2)).toEqual([1, 2]);
  expect([...chosen([holder, reading, waiting])].slice(0, 2)).toEqual([2, 3]);
});

test('while seeding, whoever had a minute makes room for whoever waits longest', () => {
  const peers = [
    candidate(1, { isUnchoked: true, changedAtMs: 10_000, uploadRate: 999 }),
    candidate(2, { isUnchoked: true, changedAtMs: 90_000, uploadRate: 1 }),
    candidate(3, { changedAtMs: 50_000 }),
    candidate(4, { changedAtMs: 20_000 }),
  ];
  const { unchoked } = chooseUnchoked(peers, rules({ seeding: true, optimistic: 3, rotate: false }));
  expect(unchoked).toEqual(new Set([2, 4, 3]));
});

test('over many rounds of seeding everybody gets a turn', () => {
  const state = Array.from({ length: 12 }, (_, id) => ({ id, isUnchoked: false, changedAtMs: 0, turns: 0 }));
  for (let nowMs = 0; nowMs < 15 * 60_000; nowMs += 10_000) {
    const verdict = chooseUnchoked(
      state.map(({ id, isUnchoked, changedAtMs }) => candidate(id, { isUnchoked, changedAtMs })),
      rules({ seeding: true, nowMs }),
    );
    for (const peer of state) {
      const isUnchoked = verdict.unchoked.has(peer.id);
      if (isUnchoked) peer.turns++;
      if (isUnchoked !== peer.isUnchoked) peer.changedAtMs = nowMs;
      peer.isUnchoked = isUnchoked;
    }
  }
  expect(Math.min(...state.map(({ turns }) => turns))).toBeGreaterThan(5);
});

test.each([
  { seeding: false, limit: Infinity, slots: 4 },
  { seeding: true, limit: Infinity, slots: 32 },
  { seeding: true, limit: 1_000_000, slots: 7 },
  { seeding: true, limit: 10_000, slots: 4 },
  { seeding: true, limit: 0, slots: 0 },
])('seeding: $seeding with $limit bytes/s gives $slots slots', ({ seeding, limit, slots }) => {
  expect(uploadSlots(seeding, limit)).toBe(slots);
});
