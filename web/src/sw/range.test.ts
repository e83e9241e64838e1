import { expect, test } from 'vitest';
import { answerRange } from './range.ts';

test.each([
  [null, 'whole'],
  ['bytes=0-', '0-1000'],
  ['bytes=0-0', '0-1'],
  ['bytes=200-299', '200-300'],
  ['bytes=999-', '999-1000'],
  ['bytes=500-5000', '500-1000'],
  ['bytes=-1', '999-1000'],
  ['bytes=-5000', '0-1000'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=1000-', 'unsatisfiable'],
  ['bytes=1000-1001', 'unsatisfiable'],
  ['bytes=5-4', 'whole'],
  ['bytes=-', 'whole'],
  ['bytes=0-1,5-6', 'whole'],
  ['items=0-1', 'whole'],
  ['bytes=0x1-2', 'whole'],
])('of 1000 bytes, "%s" asks for %s', (header, want) => {
  const answer = answerRange(header, 1000);
  expect(answer.kind === 'part' ? `${answer.range.start}-${answer.range.endExclusive}` : answer.kind).toBe(want);
});

test('an empty resource satisfies no range', () => {
  expect(answerRange('bytes=0-', 0).kind).toBe('unsatisfiable');
  expect(answerRange('bytes=-1', 0).kind).toBe('unsatisfiable');
});
