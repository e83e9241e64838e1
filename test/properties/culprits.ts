/** Parsers with the classical faults, slow, hungry and untyped: they show that the harness convicts. */
import { fromLatin1, toLatin1 } from '../../src/base/bytes.ts';
import { InvalidInput } from '../../src/base/errors.ts';
import { MIB } from '../../src/base/units.ts';
import type { Subject } from './harness/trial.ts';

export const CULPRITS: readonly (Subject & { readonly fault: 'slow' | 'hungry' | 'untyped' })[] = [
  {
    name: 'a parser that copies the rest for each value',
    fault: 'slow',
    corpus: [fromLatin1('l1:ae')],
    extremes: [fromLatin1('1:a'.repeat(13_334).slice(0, 40_000))],
    parse(bytes) {
      let rest = bytes.slice();
      while (rest.length > 0) rest = rest.slice(1);
      return rest;
    },
  },
  {
    name: 'a parser that believes every length',
    fault: 'hungry',
    corpus: [fromLatin1('00000010'), fromLatin1('50000000')],
    parse(bytes) {
      const length = Number(toLatin1(bytes.subarray(0, 8)));
      if (!Number.isSafeInteger(length) || length < 0) throw new InvalidInput('not a length');
      return new Uint8Array(Math.min(length, 64 * MIB));
    },
  },
  {
    name: 'a parser that trips over what is not there',
    fault: 'untyped',
    corpus: [fromLatin1('{"a":{"b":1}}')],
    parse: (bytes) => decodeURIComponent(toLatin1(bytes)),
  },
];
