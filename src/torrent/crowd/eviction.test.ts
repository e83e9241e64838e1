import { expect, test } from 'vitest';
import { MIB } from '../../base/units.ts';
import { chooseToPartFrom, type PeerWorth } from './eviction.ts';

const MINUTE = 60_000;
const peer = (id: number, worth: Partial<PeerWorth>): PeerWorth => ({
  id,
  connectedMs: 10 * MINUTE,
  bytesPerSecond: 0,
  isWanted: false,
  quietMs: 0,
  takenBytes: 0,
  sharingAddress: 1,
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
  {
    why: 'who takes nothing stays until a round of choking has passed it over',
    peers: [peer(1, { connectedMs: 11_999, quietMs: 11_999, isWanted: true })],
    goes: undefined,
  },
  {
    why: 'then it goes, though it was sent much a while ago',
    peers: [peer(1, { connectedMs: 12_000, quietMs: 12_000, isWanted: true, bytesPerSecond: 9_999 })],
    goes: 1,
  },
  {
    why: 'of those who take nothing the one that had the longest chance, whatever its priority',
    peers: [12_000, 30_000].map((quietMs, id) =>
      peer(id, { quietMs, connectedMs: quietMs, isWanted: true, priority: id }),
    ),
    goes: 1,
  },
  {
    why: 'many of one address go before a single one',
    peers: [
      peer(1, { quietMs: 30_000, connectedMs: 30_000, isWanted: true }),
      peer(2, { quietMs: 12_000, connectedMs: 12_000, isWanted: true, sharingAddress: 2 }),
    ],
    goes: 2,
  },
  {
    why: 'who has taken more than a kernel holds goes last of them',
    peers: [
      peer(1, { quietMs: 40_000, connectedMs: 4 * MINUTE, isWanted: true, takenBytes: 16 * MIB }),
      peer(2, { quietMs: 12_000, connectedMs: 4 * MINUTE, isWanted: true, takenBytes: 15 * MIB }),
    ],
    goes: 2,
  },
  { why: 'of equals the oldest', peers: [peer(1, {}), peer(2, { connectedMs: 20 * MINUTE })], goes: 2 },
])('$goes makes room: $why', ({ peers, goes }) => {
  expect(chooseToPartFrom(peers)).toBe(goes);
});
