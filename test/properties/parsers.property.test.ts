/**
 * Every parser of strangers' bytes: 10,000 hostile inputs each, and each ends in a value or a typed error, within 50 ms
 * and 32 MB. The inputs are the same in every run; `SEEDBED_FUZZ_SEED` chooses others, `SEEDBED_FUZZ_CASES` more.
 */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import { MAX_CASE_BYTES, MAX_CASE_MS, tryParser } from './harness/trial.ts';
import { CULPRITS } from './culprits.ts';
import { SUBJECTS } from './subjects.ts';

/** What the largest inputs of each parser cost, measured in a process of its own. */
function measureMemory(): Readonly<Record<string, number>> {
  const program = path.join(import.meta.dirname, 'harness', 'measure.ts');
  const output = execFileSync(process.execPath, ['--max-semi-space-size=1', program], { encoding: 'utf8' });
  return JSON.parse(output) as Record<string, number>;
}

const cases = Number(process.env['SEEDBED_FUZZ_CASES'] ?? 10_000);
const seed = Number(process.env['SEEDBED_FUZZ_SEED'] ?? 1);

test.each(SUBJECTS)('$name: hostile bytes end in a value or a typed error, soon and cheaply', (subject) => {
  for (const message of subject.corpus) expect(() => subject.parse(message)).not.toThrow();
  const verdict = tryParser(subject, { cases, seed });
  expect(verdict.slowestMs).toBeLessThanOrEqual(MAX_CASE_MS);
  expect(verdict.hungriestBytes).toBeLessThanOrEqual(MAX_CASE_BYTES);
  expect(verdict.cases).toBeGreaterThanOrEqual(cases);
  expect(verdict.accepted).toBeGreaterThanOrEqual(subject.corpus.length);
});

test.each(CULPRITS)('the trial convicts $name', (culprit) => {
  if (culprit.fault === 'untyped') {
    expect(() => tryParser(culprit, { cases: 300, seed })).toThrow(/Property failed/);
    return;
  }
  const verdict = tryParser(culprit, { cases: culprit.fault === 'slow' ? 20 : 300, seed });
  if (culprit.fault === 'slow') expect(verdict.slowestMs).toBeGreaterThan(MAX_CASE_MS);
  else expect(verdict.hungriestBytes).toBeGreaterThan(MAX_CASE_BYTES);
});

test('the largest inputs cost no parser more than 32 MB, and the measure knows one that takes more', () => {
  const hungriest = measureMemory();
  for (const { name } of SUBJECTS) expect(hungriest[name], name).toBeLessThanOrEqual(MAX_CASE_BYTES);
  for (const { name, fault } of CULPRITS)
    if (fault === 'hungry') expect(hungriest[name], name).toBeGreaterThan(MAX_CASE_BYTES);
});
