import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { parseSha256, parseInfoHashV1 } from '../../../src/base/ids.ts';
import { parseStreamPath, type StreamReply, type StreamRequest, streamPath } from '../swarm/stream-protocol.ts';
import { answerStream, type StreamPorts } from './stream-response.ts';

const CONTENT = Uint8Array.from({ length: 1000 }, (_, at) => at % 251);
const sha256 = parseSha256('ab'.repeat(32));
const infoHash = parseInfoHashV1('cd'.repeat(20));
const path = streamPath(infoHash, sha256, `http://server/${sha256}.mp4`);
const address = parseStreamPath(path);
if (address === undefined) throw new Error('the path does not parse');

const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

interface Worker {
  readonly heard: StreamRequest['kind'][];
}

/** A swarm worker that has the content and answers `pulls` pulls before it falls silent. */
function swarmOf(pulls: number, type = 'video/mp4'): { worker: Worker; port: MessagePort } {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const heard: StreamRequest['kind'][] = [];
  let at = 0;
  let left = pulls;
  const say = (reply: StreamReply): void => port2.postMessage(reply);
  port2.addEventListener('message', ({ data: message }: MessageEvent<StreamRequest>) => {
    heard.push(message.kind);
    if (message.kind === 'read') at = message.start;
    if (message.kind !== 'pull' || left-- <= 0) return;
    say({ kind: 'waiting' });
    const bytes = CONTENT.slice(at, at + 100);
    at += bytes.length;
    say({ kind: 'bytes', bytes: bytes.buffer });
  });
  port2.start();
  say({ kind: 'opened', sizeBytes: CONTENT.length, type });
  return { worker: { heard }, port: port1 };
}

function tabThatSays(word: 'unknown' | undefined): MessagePort {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  if (word !== undefined) port2.postMessage({ kind: word });
  return port1;
}

const asked: string[] = [];

function portsOf(...tabs: MessagePort[]): StreamPorts {
  asked.length = 0;
  return {
    clock: systemClock,
    offer: () => Promise.resolve(tabs),
    fetchHttp: async (httpPath, headers) => {
      const range = headers.get('range') ?? '';
      asked.push(`${httpPath.slice(-4)} ${range}`);
      const [, start = '0', last = '999'] = /bytes=(\d+)-(\d*)/.exec(range) ?? [];
      const body = CONTENT.slice(Number(start), Number(last || '999') + 1);
      return new Response(body, {
        status: range === '' ? 200 : 206,
        headers: { 'content-range': `bytes ${start}-${last}/1000`, 'content-type': 'video/mp4', etag: '"weak"' },
      });
    },
  };
}

function request(headers: Record<string, string> = {}): Request {
  return new Request(`http://server${path}`, { headers });
}

const bytesOf = async (response: Response): Promise<Uint8Array> => new Uint8Array(await response.arrayBuffer());

describe('a stream of the service worker', () => {
  test('a range comes from the swarm with exact headers, sandboxed and never sniffed', async () => {
    const { port } = swarmOf(10);
    const response = await answerStream(request({ range: 'bytes=100-' }), address, portsOf(port));
    expect(response.status).toBe(206);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'content-length': '900',
      'content-range': 'bytes 100-999/1000',
      'content-security-policy': "sandbox; default-src 'none'",
      'content-type': 'video/mp4',
      etag: `"${sha256}"`,
      'x-content-type-options': 'nosniff',
    });
    expect(await bytesOf(response)).toEqual(CONTENT.slice(100));
    expect(asked).toEqual([]);
  });

  test.each([
    ['no range', request(), 200, '1000'],
    ['a range of another version', request({ range: 'bytes=5-', 'if-range': '"other"' }), 200, '1000'],
    ['a range of this version', request({ range: 'bytes=5-', 'if-range': `"${sha256}"` }), 206, '995'],
    ['a range beyond the end', request({ range: 'bytes=1000-' }), 416, null],
  ])('asked for %s', async (_, asking, status, length) => {
    const response = await answerStream(asking, address, portsOf(swarmOf(0).port));
    expect([response.status, response.headers.get('content-length')]).toEqual([status, length]);
  });

  test('types that could run as a document are sent as plain bytes', async () => {
    for (const type of ['text/html', 'image/svg+xml', 'application/xhtml+xml', 'video/mp4; x=\r\ny']) {
      const response = await answerStream(request(), address, portsOf(swarmOf(0, type).port));
      expect(response.headers.get('content-type')).toBe('application/octet-stream');
    }
  });

  test('when the swarm falls silent in the middle, the server goes on at the same byte', async () => {
    const { port } = swarmOf(3);
    const response = await answerStream(request({ range: 'bytes=0-899' }), address, portsOf(port));
    expect(await bytesOf(response)).toEqual(CONTENT.slice(0, 900));
    expect(asked).toEqual(['.mp4 bytes=300-899']);
  });

  test('of several tabs the one that has the torrent delivers', async () => {
    const { port } = swarmOf(1);
    const response = await answerStream(
      request({ range: 'bytes=0-99' }),
      address,
      portsOf(tabThatSays('unknown'), port),
    );
    expect(await bytesOf(response)).toEqual(CONTENT.slice(0, 100));
    expect(asked).toEqual([]);
  });

  test.each([
    ['no tab is open', () => []],
    ['no tab has the torrent', () => [tabThatSays('unknown'), tabThatSays('unknown')]],
    ['the tab does not answer', () => [tabThatSays(undefined)]],
  ])('when %s, the server gets the same request', async (_, tabs) => {
    const response = await answerStream(request({ range: 'bytes=7-9' }), address, portsOf(...tabs()));
    expect(asked).toEqual(['.mp4 bytes=7-9']);
    expect(await bytesOf(response)).toEqual(CONTENT.slice(7, 10));
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-range': 'bytes 7-9/1000',
      // The same as the swarm's, or a player would take it for another resource.
      etag: `"${sha256}"`,
      'content-type': 'video/mp4',
      'x-content-type-options': 'nosniff',
    });
  });

  test('a seek tells the scheduler at once, even while it waits for bytes', async () => {
    const { port, worker } = swarmOf(1);
    const response = await answerStream(request({ range: 'bytes=0-' }), address, portsOf(port));
    const reader = response.body?.getReader();
    await reader?.read();
    const waiting = reader?.read();
    await reader?.cancel();
    await waiting;
    await expect.poll(() => worker.heard.at(-1)).toBe('cancel');
    expect(asked).toEqual([]);
  });
});

test.each([
  ['/stream/short/also', undefined],
  [`/stream/${infoHash}/${sha256}`, `/${sha256}`],
  [`/stream/${infoHash}/${sha256}.webm`, `/${sha256}.webm`],
  [`/stream/${infoHash}/${sha256}/x`, undefined],
  [`/stream/${infoHash}/${sha256}.MP4`, undefined],
])('%s stands for the server path %s', (pathname, httpPath) => {
  expect(parseStreamPath(pathname)?.httpPath).toBe(httpPath);
});
