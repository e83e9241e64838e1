import { expect, test } from 'vitest';
import { chooseToPartFrom, type PeerWorth } from './eviction.ts';

const MINUTE = 60_000;
const peer = (id: number, worth: Partial<PeerWorth>): PeerWorth => ({
  id,
  connectedMs: 10 * MINUTE,
  bytesPerSecond: 0,
  isWanted: false,
  priority: 100,
  ...worth,
});

test.each<{ why: string; peers: PeerWorth[]; goes: number | undefined }>([
  { why: 'nobody is there', peers: [], goes: undefined },
  { why: 'who gives or takes stays', peers: [peer(1, { bytesPerSecond: 1_000 })], goes: undefined },
  { why: 'a newcomer gets a minute', peers: [peer(1, { connectedMs: MINUTE - 1 })], goes: undefined },
  { why: 'then it goes when nobody wants anything', peers: [peer(1, { connectedMs: MINUTE })], goes: 1 },
  {
    why: 'who waits for a slot gets five',
    peers: [peer(1, { isWanted: true, connectedMs: 5 * MINUTE - 1 })],
    goes: undefined,
  },
  { why: 'but not for ever', peers: [peer(1, { isWanted: true, connectedMs: 5 * MINUTE })], goes: 1 },
  {
    why: 'the useless go before those who wait',
    peers: [peer(1, { isWanted: true, priority: 1 }), peer(2, { priority: 900 })],
    goes: 2,
  },
  { why: 'the lowest priority goes (BEP 40)', peers: [peer(1, { priority: 7 }), peer(2, { priority: 3 })], goes: 2 },
  { why: 'of equals the oldest', peers: [peer(1, {}), peer(2, { connectedMs: 20 * MINUTE })], goes: 2 },
])('$goes makes room: $why', ({ peers, goes }) => {
  expect(chooseToPartFrom(peers)).toBe(goes);
});
