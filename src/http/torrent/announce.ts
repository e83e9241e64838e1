/** The tracker's HTTP face (BEP 3, 7, 23, 48): query in, bencode out. Its refusals are answers with status 200, as trackers do. */
import type { HttpTracker } from '../../tracker/http.ts';
import type { Exchange } from '../delivery/sender.ts';
import { MethodNotAllowed } from '../errors.ts';
import { remoteHostOf } from '../remote.ts';

export interface AnnounceDeps {
  readonly tracker: Pick<HttpTracker, 'announce' | 'scrape'>;
  readonly trustProxy: boolean;
}

/** @throws MethodNotAllowed */
export function answerTracker(
  { tracker, trustProxy }: AnnounceDeps,
  { request, response }: Exchange,
  kind: 'announce' | 'scrape',
  query: string,
): void {
  if (request.method !== 'GET') throw new MethodNotAllowed(request.method, ['GET']);
  const answer = tracker[kind](query, remoteHostOf(request, trustProxy));
  response.writeHead(200, {
    'content-type': 'text/plain',
    'content-length': answer.length,
    'cache-control': 'no-store',
  });
  response.end(answer);
}
