/** The `Range` header (RFC 9110 §14), as far as a media host needs it: one byte range, or the whole. */
import type { ByteRange } from '../../base/range.ts';

/** `whole`: send everything (no header, malformed, several ranges, other unit). `unsatisfiable`: answer 416. */
export type RangeChoice = ByteRange | 'whole' | 'unsatisfiable';

const ONE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;
/** No satisfiable range of a real file needs a longer header; anything above is not even looked at. */
const MAX_HEADER_CHARS = 128;

/** Which bytes of a representation of `sizeBytes` a `Range` header asks for. Never throws. */
export function chooseRange(header: string | undefined, sizeBytes: number): RangeChoice {
  if (header === undefined || header.length > MAX_HEADER_CHARS) return 'whole';
  const match = ONE_RANGE.exec(header);
  if (match === null) return 'whole';
  const [, first = '', last = ''] = match;
  if (first === '') return last === '' ? 'whole' : suffixRange(Number(last), sizeBytes);
  const start = Number(first);
  if (last !== '' && Number(last) < start) return 'whole';
  if (start >= sizeBytes) return 'unsatisfiable';
  return { start, endExclusive: last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1) };
}

function suffixRange(lengthBytes: number, sizeBytes: number): RangeChoice {
  if (lengthBytes === 0 || sizeBytes === 0) return 'unsatisfiable';
  return { start: Math.max(0, sizeBytes - lengthBytes), endExclusive: sizeBytes };
}
