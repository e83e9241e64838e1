/** Inputs that parsers must survive: noise, and valid messages spoiled in the ways that matter. Deterministic by seed. */
import * as fc from 'fast-check';
import { concatBytes, fromLatin1, toLatin1, writeUint32 } from '../../../src/base/bytes.ts';

/** Lengths and numbers that break arithmetic. */
const LYING_NUMBERS = ['-1', '0', '00', '1', '65536', '2147483648', '4294967295', '9007199254740992', '9'.repeat(30)];
const LYING_UINT32 = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x0002_0009, 0x0010_0001];
/** What opens one more level, in each of the formats. */
const NESTINGS = ['l', 'd1:a', 'd0:', '[', '{"a":', 'lld1:xl'];
const MAX_NESTING = 3_000;

/** One spoiling step; `at` is a place anywhere in the message. */
type Spoil = { readonly at: number } & (
  | { readonly kind: 'flip'; readonly bit: number }
  | { readonly kind: 'set'; readonly byte: number }
  | { readonly kind: 'truncate' }
  | { readonly kind: 'remove' | 'duplicate'; readonly count: number }
  | { readonly kind: 'insert'; readonly bytes: Uint8Array }
  | { readonly kind: 'lie'; readonly text: string }
  | { readonly kind: 'lie32'; readonly value: number }
  | { readonly kind: 'nest'; readonly opening: string; readonly depth: number }
);

const at = fc.nat(0xffff);
const spoil: fc.Arbitrary<Spoil> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat(7) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('set' as const), at, byte: fc.nat(255) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('truncate' as const), at }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('remove' as const, 'duplicate' as const), at, count: fc.nat(200) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('insert' as const), at, bytes: fc.uint8Array({ maxLength: 40 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('lie' as const), at, text: fc.constantFrom(...LYING_NUMBERS) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('lie32' as const), at, value: fc.constantFrom(...LYING_UINT32) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('nest' as const),
      at,
      opening: fc.constantFrom(...NESTINGS),
      depth: fc.integer({ min: 1, max: MAX_NESTING }),
    }),
  },
);

/** A third of the inputs is noise, the others are messages of the corpus spoiled up to four times over. */
export function hostileBytes(corpus: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const spoiled = fc
    .tuple(fc.constantFrom(...corpus), fc.array(spoil, { maxLength: 4 }))
    .map(([message, spoils]) => spoils.reduce(applySpoil, message));
  return fc.oneof({ weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) }, { weight: 2, arbitrary: spoiled });
}

function applySpoil(bytes: Uint8Array, step: Spoil): Uint8Array {
  const position = bytes.length === 0 ? 0 : step.at % bytes.length;
  const [before, after] = [bytes.subarray(0, position), bytes.subarray(position)];
  switch (step.kind) {
    case 'flip':
      return changed(bytes, position, (byte) => byte ^ (1 << step.bit));
    case 'set':
      return changed(bytes, position, () => step.byte);
    case 'truncate':
      return before;
    case 'remove':
      return concatBytes([before, after.subarray(step.count)]);
    case 'duplicate':
      return concatBytes([before, after.subarray(0, step.count), after]);
    case 'insert':
      return concatBytes([before, step.bytes, after]);
    case 'lie':
      return fromLatin1(replaceNumber(toLatin1(bytes), position, step.text));
    case 'lie32': {
      if (position + 4 > bytes.length) return bytes;
      const copy = bytes.slice();
      writeUint32(copy, position, step.value);
      return copy;
    }
    case 'nest':
      return concatBytes([before, fromLatin1(step.opening.repeat(step.depth)), after]);
  }
}

function changed(bytes: Uint8Array, position: number, change: (byte: number) => number): Uint8Array {
  const copy = bytes.slice();
  if (position < copy.length) copy[position] = change(copy[position] ?? 0);
  return copy;
}

/** Replaces the next decimal number behind the position. */
function replaceNumber(text: string, position: number, number: string): string {
  const found = /\d+/.exec(text.slice(position));
  if (found === null) return text;
  const start = position + found.index;
  return text.slice(0, start) + number + text.slice(start + found[0].length);
}
