import { expect, test } from 'vitest';
import { parseInfoHashV1, parseInfoHashV2, swarmKeyOf } from '../../base/ids.ts';
import type { Handshake } from '../../codec/handshake.ts';
import { Identity } from './identity.ts';

const v1 = parseInfoHashV1('1'.repeat(40));
const v2 = parseInfoHashV2('2'.repeat(64));
const [v1Key, v2Key] = [swarmKeyOf(v1), swarmKeyOf(v2)];

function handshake(swarmKey: typeof v1Key, speaksV2: boolean): Handshake {
  return { swarmKey, v2: speaksV2, peerId: new Uint8Array(20), extensions: true, fast: true, dht: false };
}

const calm = { lacksHashes: false, isRead: false, mayRetryPlainly: true };

test.each([
  { case: 'v1 only', hashes: { v1 }, needs: { ...calm, lacksHashes: true }, key: v1Key },
  { case: 'v2 only', hashes: { v2 }, needs: calm, key: v2Key },
  { case: 'a hybrid with nothing to ask of v2', hashes: { v1, v2 }, needs: calm, key: v1Key },
  { case: 'a hybrid that lacks hashes', hashes: { v1, v2 }, needs: { ...calm, lacksHashes: true }, key: v2Key },
  { case: 'a hybrid that is read', hashes: { v1, v2 }, needs: { ...calm, isRead: true }, key: v2Key },
  {
    case: 'a hybrid that is read, where no plain handshake may follow',
    hashes: { v1, v2 },
    needs: { lacksHashes: false, isRead: true, mayRetryPlainly: false },
    key: v1Key,
  },
])('an encrypted dial begins under the half that is needed: $case', ({ hashes, needs, key }) => {
  expect(new Identity(hashes).encryptedKey(needs)).toBe(key);
});

test.each([
  { case: 'a v1 peer of a hybrid stays v1', hashes: { v1, v2 }, asked: handshake(v1Key, false), answer: v1Key },
  { case: 'a v2 peer of a hybrid is taken to v2', hashes: { v1, v2 }, asked: handshake(v1Key, true), answer: v2Key },
  { case: 'v1 has no other half', hashes: { v1 }, asked: handshake(v1Key, true), answer: v1Key },
])('$case', ({ hashes, asked, answer }) => {
  expect(new Identity(hashes).answerKey(asked)).toBe(answer);
});

test.each([
  { case: 'who dialled us under v2', key: v2Key, v2Bit: false, isOutgoing: false, speaks: true },
  { case: 'who dialled us under v1 and knows v2', key: v1Key, v2Bit: true, isOutgoing: false, speaks: true },
  { case: 'who dialled us under v1 and does not', key: v1Key, v2Bit: false, isOutgoing: false, speaks: false },
  { case: 'who answered us under v2', key: v2Key, v2Bit: true, isOutgoing: true, speaks: true },
  { case: 'who answered us under v1 after all', key: v1Key, v2Bit: true, isOutgoing: true, speaks: false },
])('of a hybrid, $case may be asked for v2 hashes: $speaks', ({ key, v2Bit, isOutgoing, speaks }) => {
  expect(new Identity({ v1, v2 }).speaksV2({ handshake: handshake(key, v2Bit), isOutgoing })).toBe(speaks);
});

test('a hybrid known by its v2 hash is found under its v1 hash, too, once the metadata told it', () => {
  const identity = new Identity({ v2 });
  expect(identity.isHybrid).toBe(false);
  identity.learn({ v1, v2 });
  expect(identity.isHybrid).toBe(true);
  expect(identity.keys).toEqual([v1Key, v2Key]);
});
