/** Range requests on a resource of known size (RFC 9110 §14.1.2), as pure decisions. */
import type { ByteRange } from '../../../src/base/range.ts';

export type RangeAnswer =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly range: ByteRange }
  | { readonly kind: 'unsatisfiable' };

const SINGLE = /^bytes=(\d{0,15})-(\d{0,15})$/;

/** What to answer: no, several or malformed ranges get the whole, as a server may. */
export function answerRange(header: string | null, sizeBytes: number): RangeAnswer {
  const match = SINGLE.exec(header?.trim() ?? '');
  const [, first = '', last = ''] = match ?? [];
  if (match === null || (first === '' && last === '')) return { kind: 'whole' };
  if (first === '') return suffix(Number(last), sizeBytes);
  const start = Number(first);
  const endExclusive = last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  if (last !== '' && Number(last) < start) return { kind: 'whole' };
  return start < sizeBytes ? { kind: 'part', range: { start, endExclusive } } : { kind: 'unsatisfiable' };
}

function suffix(lengthBytes: number, sizeBytes: number): RangeAnswer {
  if (lengthBytes === 0 || sizeBytes === 0) return { kind: 'unsatisfiable' };
  return { kind: 'part', range: { start: Math.max(0, sizeBytes - lengthBytes), endExclusive: sizeBytes } };
}
