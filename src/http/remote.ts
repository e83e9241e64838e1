/** Where a request comes from, as an IP literal. Behind a reverse proxy on loopback its word is taken, if so configured. */
import type { IncomingMessage } from 'node:http';
import { formatIp, parseIp } from '../base/address.ts';
import { InvalidInput } from '../base/errors.ts';
import { isLoopback } from './listener.ts';
import { singleHeader } from './headers.ts';

const MAPPED_IPV4 = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i;

/** IPv4-mapped addresses count as IPv4. `::` when the socket is gone already. */
export function remoteHostOf(request: IncomingMessage, trustProxy: boolean): string {
  const direct = (request.socket.remoteAddress ?? '::').replace(MAPPED_IPV4, '').replace(/%.*$/, '');
  if (!trustProxy || !isLoopback(direct)) return direct;
  return forwardedFor(singleHeader(request.headers, 'x-forwarded-for')) ?? direct;
}

/** The last entry: the one our own proxy wrote; all before it are the client's to invent. */
function forwardedFor(header: string | undefined): string | undefined {
  const last = header?.split(',').at(-1)?.trim();
  if (last === undefined || last === '') return undefined;
  try {
    return formatIp(parseIp(last.replace(MAPPED_IPV4, '')));
  } catch (error) {
    if (error instanceof InvalidInput) return undefined;
    throw error;
  }
}
