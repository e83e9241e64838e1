/** When an HTTP server wants to be asked again (RFC 9110 §10.2.3). */
import { HOUR_MS, SECOND_MS } from '../base/units.ts';

/** Who asks for more is asked again after this. */
const MAX_RETRY_AFTER_MS = HOUR_MS;
const DELAY_SECONDS = /^\d{1,10}$/;
/** RFC 9110 §5.6.7: the one format of today and that of RFC 850, both of which say GMT, and that of asctime, which means it. */
const GMT_DATE = /^\w{3,9}, \d{2}[ -]\w{3}[ -]\d{2,4} \d{2}:\d{2}:\d{2} GMT$/;
const ASCTIME = /^\w{3} \w{3} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/** Ms from `nowMs` (since 1970) until then, 0 to an hour; undefined where the header says nothing that is understood. */
export function parseRetryAfterMs(header: string | null | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  const waitMs = DELAY_SECONDS.test(text) ? Number(text) * SECOND_MS : dateMsOf(text) - nowMs;
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS);
}

/** NaN for what is no HTTP date. */
function dateMsOf(text: string): number {
  if (GMT_DATE.test(text)) return Date.parse(text);
  return ASCTIME.test(text) ? Date.parse(`${text} GMT`) : Number.NaN;
}
