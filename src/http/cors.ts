/** Cross-origin headers. Everything behind them is public or carries its own token, never a cookie. */
import type { ServerResponse } from 'node:http';

/** On every answer of a Blossom endpoint (BUD-01), errors included. */
export const BLOSSOM_CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'X-Reason, Content-Range, Content-Length, Content-Disposition, Accept-Ranges, ETag, Sunset, X-Seedbed-Sha256',
} as const;

/** Answers a Blossom preflight (BUD-01): a day, any header, the methods the protocol has. */
export function answerPreflight(response: ServerResponse): void {
  response.writeHead(204, {
    'access-control-allow-origin': '*',
    'access-control-allow-headers': 'Authorization, *',
    'access-control-allow-methods': 'GET, HEAD, PUT, DELETE',
    'access-control-max-age': '86400',
    allow: 'GET, HEAD, PUT, DELETE, OPTIONS',
  });
  response.end();
}
