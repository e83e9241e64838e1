import { expect, test } from 'vitest';
import { AddressVote } from './address-vote.ts';

interface Voices {
  readonly voters: readonly string[];
  readonly seen: string;
}

const OURS = '20.1.2.3';
const four = ['20.2.0.1', '20.2.0.2', '20.2.0.3', '20.2.0.4'];
const five = [...four, '20.2.0.5'];

test.each<{ why: string; voices: readonly Voices[]; winner: string | undefined }>([
  { why: 'nobody spoke', voices: [], winner: undefined },
  { why: 'four agree', voices: [{ voters: four, seen: OURS }], winner: undefined },
  { why: 'five agree', voices: [{ voters: five, seen: OURS }], winner: OURS },
  {
    why: 'one repeats itself',
    voices: [{ voters: Array.from({ length: 50 }, () => '20.2.0.1'), seen: OURS }],
    winner: undefined,
  },
  {
    why: 'one /64 speaks with many mouths',
    voices: [{ voters: Array.from({ length: 50 }, (_, at) => `2a00::${at + 1}`), seen: '2a00:5::1' }],
    winner: undefined,
  },
  {
    why: 'half of them see something else',
    voices: [
      { voters: five, seen: OURS },
      { voters: ['20.3.0.1', '20.3.0.2', '20.3.0.3', '20.3.0.4', '20.3.0.5'], seen: '20.6.6.6' },
    ],
    winner: undefined,
  },
  {
    why: 'some lie',
    voices: [
      { voters: four, seen: '20.6.6.6' },
      { voters: ['20.3.0.1', '20.3.0.2', '20.3.0.3', '20.3.0.4', '20.3.0.5'], seen: OURS },
    ],
    winner: OURS,
  },
  {
    why: 'all see the new address after a change',
    voices: [
      { voters: five, seen: '20.6.6.6' },
      { voters: five, seen: OURS },
    ],
    winner: OURS,
  },
  {
    why: 'inner nodes say it',
    voices: [{ voters: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5'], seen: OURS }],
    winner: undefined,
  },
  { why: 'an inner address is seen', voices: [{ voters: five, seen: '192.168.1.2' }], winner: undefined },
  {
    why: 'a crowd has long seen another, and forty have spoken since',
    voices: [
      { voters: Array.from({ length: 200 }, (_, at) => `20.4.0.${at}`), seen: '20.6.6.6' },
      { voters: Array.from({ length: 40 }, (_, at) => `20.5.0.${at}`), seen: OURS },
    ],
    winner: OURS,
  },
])('the address others see us at, when $why: $winner', ({ voices, winner }) => {
  const vote = new AddressVote();
  for (const { voters, seen } of voices) for (const voter of voters) vote.add(voter, seen);
  expect(vote.winner).toBe(winner);
});
