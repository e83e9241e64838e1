import { expect, test } from 'vitest';
import { parseSha256 } from '../../../src/base/ids.ts';
import { speedOf } from '../lib/speed.ts';
import { actionsOf, newItem, reduceItem, type UploadEvent, type UploadItem } from './item.ts';

const hash = { sha256: parseSha256('ab'.repeat(32)) };
const fresh = newItem({ id: 'u1', name: 'film.mp4', type: 'video/mp4', sizeBytes: 1000 });

function after(...events: UploadEvent[]): UploadItem {
  return events.reduce(reduceItem, fresh);
}

test('an upload is hashed, sent and stored', () => {
  const done = after(
    { kind: 'hashing' },
    { kind: 'hash-progress', hashedBytes: 600, atMs: 10 },
    { kind: 'hashed', hash },
    { kind: 'uploading' },
    { kind: 'sent', sentBytes: 400, atMs: 1000 },
    { kind: 'stored' },
  );
  expect(done).toMatchObject({ phase: { kind: 'stored' }, sentBytes: 1000, hashedBytes: 1000, hash });
});

test('the link is there from the end of hashing on, whatever happens later', () => {
  const hashed = after({ kind: 'hashing' }, { kind: 'hashed', hash });
  const events: UploadEvent[] = [
    { kind: 'paused' },
    { kind: 'failed', code: 'no_space', message: 'full' },
    { kind: 'file-needed', how: 'pick' },
    { kind: 'hashing' },
  ];
  expect(events.map((event) => reduceItem(hashed, event).hash)).toEqual([hash, hash, hash, hash]);
});

test('an unreachable server makes it wait, and the next byte makes it go on', () => {
  const waiting = after({ kind: 'hashed', hash }, { kind: 'uploading' }, { kind: 'unreachable' });
  expect(waiting.phase.kind).toBe('waiting');
  expect(reduceItem(waiting, { kind: 'sent', sentBytes: 10, atMs: 5 }).phase.kind).toBe('uploading');
});

test.each<{ late: UploadEvent; phase: UploadEvent }>([
  { phase: { kind: 'paused' }, late: { kind: 'sent', sentBytes: 900, atMs: 9 } },
  { phase: { kind: 'paused' }, late: { kind: 'hash-progress', hashedBytes: 900, atMs: 9 } },
  { phase: { kind: 'paused' }, late: { kind: 'unreachable' } },
  { phase: { kind: 'stored' }, late: { kind: 'failed', code: 'offline', message: 'x' } },
])('a late $late.kind changes nothing once it is $phase.kind', ({ phase, late }) => {
  const item = after(phase);
  expect(reduceItem(item, late)).toBe(item);
});

test('the speed starts anew with each phase, so that a pause is not averaged in', () => {
  const moving = after(
    { kind: 'uploading' },
    { kind: 'sent', sentBytes: 0, atMs: 0 },
    { kind: 'sent', sentBytes: 500, atMs: 1000 },
  );
  expect(speedOf(moving.speed)).toBe(500);
  expect(speedOf(reduceItem(moving, { kind: 'paused' }).speed)).toBe(0);
});

test('a restored upload keeps its hash and what was sent', () => {
  const restored = newItem({ id: 'u1', name: 'a', type: '', sizeBytes: 10 }, { hash, sentBytes: 4 });
  expect(restored).toMatchObject({ hash, sentBytes: 4, phase: { kind: 'queued' } });
});

test.each([
  [{ kind: 'hashing' }, ['pause', 'cancel']],
  [{ kind: 'waiting' }, ['pause', 'cancel']],
  [{ kind: 'paused' }, ['resume', 'cancel']],
  [{ kind: 'needs-file', how: 'pick' }, ['provide-file', 'cancel']],
  [{ kind: 'failed', code: 'x', message: 'y' }, ['retry', 'cancel']],
  [{ kind: 'failed', code: 'hash_mismatch', message: 'y' }, ['provide-file', 'cancel']],
  [{ kind: 'stored' }, ['dismiss']],
] as const)('in the phase %o the user can %o', (phase, actions) => {
  expect(actionsOf(phase)).toEqual(actions);
});
