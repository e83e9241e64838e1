/** The store where the browser has no lasting storage; in OPFS it is held to its promises by test/browser/swarm-held.test.ts. */
import { expect, test } from 'vitest';
import { parseInfoHashV1, parseSha256 } from '../../../src/base/ids.ts';
import { MIB } from '../../../src/base/units.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import type { HeldRecord } from './held-records.ts';
import { HeldStore } from './held-store.ts';

const medium = (name: string, sizeBytes: number): HeldRecord => ({
  infoHash: parseInfoHashV1(name.repeat(40)),
  sha256: parseSha256(name.repeat(64)),
  name,
  type: 'video/mp4',
  sizeBytes,
  pieceLengthBytes: MIB,
  rawInfo: Uint8Array.of(1),
  have: new Uint8Array(Math.ceil(sizeBytes / MIB / 8)),
  isProven: false,
  uploadedBytes: 0,
  lastUsedMs: 0,
});

const nothingGives = (): Promise<boolean> => Promise.resolve(false);

test('without lasting storage media are kept in memory, up to a cap, and end when they are closed', async () => {
  const store = await HeldStore.open(new FakeClock());
  expect(store.isLasting).toBe(false);
  const { storage } = await store.create(medium('a', 300 * MIB), { kind: 'memory', evict: [] }, nothingGives);
  const piece = new Uint8Array(MIB).fill(7);
  for (let index = 0; index < 256; index++) await storage.write(piece, index * MIB);
  const view = new Uint8Array(1);
  await storage.read([view], MIB + 5);
  expect(view[0]).toBe(7);
  await expect(storage.write(piece, 256 * MIB)).rejects.toMatchObject({ code: 'no_space' });
  await store.close(medium('a', 0).infoHash);
  expect([store.list(), store.usedBytes]).toEqual([[], 0]);
});

test('what there is no room for is refused with the limit, and nothing of it stays', async () => {
  const store = await HeldStore.open(new FakeClock());
  const refused = store.create(medium('b', 300 * MIB), { kind: 'refuse', limitBytes: 256 * MIB }, nothingGives);
  await expect(refused).rejects.toMatchObject({ code: 'no_space', facts: { limitBytes: 256 * MIB } });
  expect(store.list()).toEqual([]);
});

test('using a medium makes it the last to go', async () => {
  const clock = new FakeClock();
  const store = await HeldStore.open(clock);
  for (const name of ['a', 'b']) {
    await store.create(medium(name, MIB), { kind: 'memory', evict: [] }, nothingGives);
    clock.advance(1_000);
  }
  await store.touch(medium('a', 0).infoHash);
  const byUse = [...store.list()].sort((x, y) => x.lastUsedMs - y.lastUsedMs);
  expect(byUse.map(({ name }) => name)).toEqual(['b', 'a']);
});
