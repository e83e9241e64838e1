/**
 * A program that tells what each parser's largest inputs cost in memory, as JSON: name → bytes of the hungriest. Run it
 * with a small young generation (`--max-semi-space-size=1`), so that garbage is swept at once and does not count.
 */
import { CULPRITS } from '../culprits.ts';
import { SUBJECTS } from '../subjects.ts';
import { bytesAlone, MAX_CASE_BYTES } from './trial.ts';

const TRIES = 3;

const hungriest: Record<string, number> = {};
for (const subject of [...SUBJECTS, ...CULPRITS.filter(({ fault }) => fault === 'hungry')]) {
  let most = 0;
  for (const input of [...subject.corpus, ...(subject.extremes ?? [])]) {
    let least = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < TRIES && least > MAX_CASE_BYTES; tries++)
      least = Math.min(least, bytesAlone(subject, input));
    most = Math.max(most, least);
  }
  hungriest[subject.name] = most;
}
process.stdout.write(JSON.stringify(hungriest));
