/**
 * Answers `/stream/…`: the bytes of a torrent as an HTTP response with exact ranges, from the swarm as long as it speaks
 * and from the server from then on, in the middle of a response too. Bytes of strangers never become a document of
 * this origin: no navigation gets here, and every answer is sandboxed and never sniffed. One resource has one
 * entity tag, whoever delivers it.
 */
import type { Clock } from '../../../src/base/clock.ts';
import { AppError, Unavailable } from '../../../src/base/errors.ts';
import { type ByteRange, rangeLength } from '../../../src/base/range.ts';
import type { StreamAddress } from '../swarm/stream-protocol.ts';
import { answerRange } from './range.ts';
import { openLink, type OpenLink } from './swarm-link.ts';

export interface StreamPorts {
  readonly clock: Clock;
  /** Offers a new stream to every open tab; the swarm worker of the leading one will speak on its port. */
  offer(address: StreamAddress): Promise<readonly MessagePort[]>;
  /** The server's own answer for the same bytes. */
  fetchHttp(httpPath: string, headers: Headers, signal: AbortSignal): Promise<Response>;
}

const SAFE_TYPE = /^(?:video|audio|image)\/(?!svg)[\w.+-]+$/;

/** Never rejects while the server can be reached. */
export async function answerStream(request: Request, address: StreamAddress, ports: StreamPorts): Promise<Response> {
  const rangeHeader = rangeAsked(request, entityTag(address.sha256));
  const link = await openLink(await ports.offer(address), ports.clock);
  if (link === undefined) return fromServer(rangeHeader, address, ports, request.signal);
  const answer = answerRange(rangeHeader, link.sizeBytes);
  if (answer.kind === 'unsatisfiable') {
    link.cancel();
    return new Response(null, { status: 416, headers: { 'content-range': `bytes */${link.sizeBytes}` } });
  }
  const range = answer.kind === 'part' ? answer.range : { start: 0, endExclusive: link.sizeBytes };
  const headers = new Headers(safeHeaders(link.type, entityTag(address.sha256)));
  headers.set('content-length', String(rangeLength(range)));
  if (answer.kind === 'part')
    headers.set('content-range', `bytes ${range.start}-${range.endExclusive - 1}/${link.sizeBytes}`);
  const body = streamBody(link, range, address, ports);
  return new Response(body, { status: answer.kind === 'part' ? 206 : 200, headers });
}

/** The Range header where it holds for this version (RFC 9110 §13.1.5). */
function rangeAsked(request: Request, etag: string): string | null {
  const ifRange = request.headers.get('if-range');
  return ifRange === null || ifRange === etag ? request.headers.get('range') : null;
}

const entityTag = (sha256: string): string => `"${sha256}"`;

function safeHeaders(type: string, etag: string): Record<string, string> {
  return {
    'accept-ranges': 'bytes',
    'cache-control': 'no-store',
    'content-security-policy': "sandbox; default-src 'none'",
    'content-type': SAFE_TYPE.test(type) ? type : 'application/octet-stream',
    etag,
    'x-content-type-options': 'nosniff',
  };
}

/**
 * The server's answer, under the same entity tag as the swarm's and as safe: players join parts of both, and give up on
 * a resource whose tag changes under them.
 */
async function fromServer(
  rangeHeader: string | null,
  { httpPath, sha256 }: StreamAddress,
  ports: StreamPorts,
  signal: AbortSignal,
): Promise<Response> {
  const asked = new Headers(rangeHeader === null ? {} : { range: rangeHeader });
  const { status, statusText, body, headers: given } = await ports.fetchHttp(httpPath, asked, signal);
  const headers = new Headers(safeHeaders(given.get('content-type') ?? '', entityTag(sha256)));
  for (const name of ['content-length', 'content-range']) {
    const value = given.get(name);
    if (value !== null) headers.set(name, value);
  }
  return new Response(body, { status, statusText, headers });
}

/** One chunk per pull, nothing read ahead; a cancel reaches the scheduler before this function's caller goes on. */
function streamBody(
  link: OpenLink,
  range: ByteRange,
  address: StreamAddress,
  ports: StreamPorts,
): ReadableStream<Uint8Array> {
  const controller = new AbortController();
  const chunks = swarmThenServer(link, range, address, ports, controller.signal);
  return new ReadableStream<Uint8Array>(
    {
      async pull(stream) {
        const { done, value } = await chunks.next();
        if (done === true) stream.close();
        else stream.enqueue(value);
      },
      async cancel() {
        link.cancel();
        controller.abort();
        await chunks.return();
      },
    },
    { highWaterMark: 0 },
  );
}

async function* swarmThenServer(
  link: OpenLink,
  { start, endExclusive }: ByteRange,
  address: StreamAddress,
  ports: StreamPorts,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  let at = start;
  try {
    for await (const bytes of link.read({ start, endExclusive })) {
      at += bytes.length;
      yield bytes;
    }
    return;
  } catch (error) {
    if (!(error instanceof AppError) || signal.aborted) throw error;
  }
  yield* serverRange(address, { start: at, endExclusive }, ports, signal);
}

async function* serverRange(
  { httpPath }: StreamAddress,
  { start, endExclusive }: ByteRange,
  ports: StreamPorts,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const headers = new Headers({ range: `bytes=${start}-${endExclusive - 1}` });
  const response = await ports.fetchHttp(httpPath, headers, signal);
  const isRange = response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${start}-`);
  if (isRange !== true || response.body === null)
    throw new Unavailable('the server cannot go on where the swarm stopped', { status: response.status });
  const reader = response.body.getReader();
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) yield chunk.value;
  } finally {
    await reader.cancel();
  }
}
