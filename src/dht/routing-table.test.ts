import { describe, expect, test } from 'vitest';
import { seededBytes } from '../../test/support/random-bytes.ts';
import type { DhtContact } from '../codec/krpc.ts';
import { RoutingTable } from './routing-table.ts';

const contactOf = (at: number, host: string): DhtContact => ({
  id: seededBytes(`contact ${at}`, 20),
  address: { host, port: 6_881 },
});

describe('a routing table', () => {
  test.each([
    { place: 'one public address', hostOf: () => '20.1.1.1', kept: 1 },
    { place: 'one public /64', hostOf: (at: number) => `2a00:0:0:1::${at + 1}`, kept: 1 },
    { place: 'four public /64', hostOf: (at: number) => `2a00:0:0:${at % 4}::1`, kept: 4 },
    { place: 'one inner address', hostOf: () => '10.1.1.1', kept: 9 },
    { place: 'one inner /64', hostOf: (at: number) => `fd00::${at + 1}`, kept: 9 },
  ])('keeps $kept of nine nodes at $place', ({ hostOf, kept }) => {
    const table = new RoutingTable(seededBytes('own', 20));
    for (let at = 0; at < 9; at++) table.answered(contactOf(at, hostOf(at)), 0);
    expect(table.size).toBe(kept);
  });
});
