/** Reading request headers that Node does not know by name. */
import type { IncomingHttpHeaders } from 'node:http';

/** The value; several lines of the same name count as one, joined by commas, as everywhere else in HTTP. */
export function singleHeader(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** The value of one cookie; undefined when absent or malformed. */
export function cookieValue(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined;
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}
