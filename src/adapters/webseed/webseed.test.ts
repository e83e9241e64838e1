import { once } from 'node:events';
import http from 'node:http';
import type net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { seededBytes } from '../../../test/support/random-bytes.ts';
import { AddressPolicy } from '../../base/address-policy.ts';
import { concatBytes } from '../../base/bytes.ts';
import { Cancelled, ProtocolError, RetryLater, TimedOut, Unavailable } from '../../base/errors.ts';
import { KIB } from '../../base/units.ts';
import { Guard, type GuardOptions } from '../guard/guard.ts';
import { HttpRangeSource, type HttpSourceOptions } from './http-source.ts';

const FILE = seededBytes('webseed', 300 * KIB);
const never = new AbortController().signal;

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void;
const servers: http.Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(handler: Handler): Promise<string> {
  const server = http.createServer(handler);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

/** An honest server of FILE at every path. */
const honest: Handler = (request, response) => {
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const [start, end] = [Number(match?.[1]), Number(match?.[2])];
  response.writeHead(206, {
    'content-range': `bytes ${start}-${end}/${FILE.length}`,
    'content-length': end - start + 1,
  });
  response.end(FILE.subarray(start, end + 1));
};

const guards: Guard[] = [];
afterEach(() => {
  for (const guard of guards.splice(0)) guard.close();
});

function guardOf(options: Partial<GuardOptions> = {}): Guard {
  const guard = new Guard({ policy: new AddressPolicy(), ...options });
  guards.push(guard);
  return guard;
}

function sourceAt(url: string, options: Partial<HttpSourceOptions> = {}): HttpRangeSource {
  const base = { url: new URL(url), sizeBytes: FILE.length, source: 'judged' } as const;
  return new HttpRangeSource({ ...base, guard: options.guard ?? guardOf(), ...options });
}

async function all(source: HttpRangeSource, start: number, end: number, signal = never): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.fetch(start, end, signal)) chunks.push(chunk);
  return concatBytes(chunks);
}

describe('a web seed', () => {
  test('gives exactly the range that was asked for, over one connection', async () => {
    const origin = await serve(honest);
    let connections = 0;
    servers[0]?.on('connection', () => connections++);
    const source = sourceAt(`${origin}/film.mp4`);
    expect(Buffer.compare(await all(source, 1_000, 200_001), FILE.subarray(1_000, 200_001))).toBe(0);
    expect(Buffer.compare(await all(source, 0, FILE.length), FILE)).toBe(0);
    expect(connections).toBe(1);
  });

  const partial = (range: string, body: Uint8Array, headers: Record<string, string> = {}): Handler => {
    return (_request, response) => response.writeHead(206, { 'content-range': range, ...headers }).end(body);
  };
  test.each<[string, Handler, abstract new (...args: never[]) => Error]>([
    ['the whole file with 200', (_request, response) => response.writeHead(200).end(FILE), ProtocolError],
    ['another range', partial(`bytes 1-100/${FILE.length}`, FILE.subarray(1, 101)), ProtocolError],
    ['a range of another file', partial('bytes 0-99/100', FILE.subarray(0, 100)), ProtocolError],
    ['no Content-Range', (_request, response) => response.writeHead(206).end(FILE.subarray(0, 100)), ProtocolError],
    ['too little', partial(`bytes 0-99/${FILE.length}`, FILE.subarray(0, 60)), ProtocolError],
    ['too much', partial(`bytes 0-99/${FILE.length}`, FILE.subarray(0, 160)), ProtocolError],
    [
      'compressed bytes',
      partial(`bytes 0-99/${FILE.length}`, FILE.subarray(0, 100), { 'content-encoding': 'gzip' }),
      ProtocolError,
    ],
    ['404', (_request, response) => response.writeHead(404).end(), Unavailable],
    ['503', (_request, response) => response.writeHead(503).end(), Unavailable],
    ['a broken connection', (request) => request.socket.destroy(), Unavailable],
  ])('that sends %s is refused', async (_what, handler, kind) => {
    const source = sourceAt(`${await serve(handler)}/x`);
    await expect(all(source, 0, 100)).rejects.toBeInstanceOf(kind);
  });

  test('hands on nothing beyond the range, whatever it sends', async () => {
    const source = sourceAt(`${await serve(partial(`bytes 0-99/${FILE.length}`, FILE.subarray(0, 160)))}/x`);
    let handedOn = 0;
    const reading = (async () => {
      for await (const chunk of source.fetch(0, 100, never)) handedOn += chunk.length;
    })();
    await expect(reading).rejects.toBeInstanceOf(ProtocolError);
    expect(handedOn).toBeLessThanOrEqual(100);
  });

  test.each([
    [429, '30', 30_000],
    [503, 'Thu, 01 Jan 1970 00:01:00 GMT', 59_000],
    [503, undefined, undefined],
    [404, '30', undefined],
  ])('that answers %i and Retry-After: %s wants to be asked again after %s ms', async (status, header, waitMs) => {
    const origin = await serve((_request, response) =>
      response.writeHead(status, header === undefined ? {} : { 'retry-after': header }).end(),
    );
    const clock = Object.assign(new FakeClock(), { nowMs: () => 1_000 });
    const failure = await all(sourceAt(`${origin}/x`, { guard: guardOf({ clock }) }), 0, 100).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(Unavailable);
    expect(failure instanceof RetryLater ? failure.retryAfterMs : undefined).toBe(waitMs);
  });

  test('with a renewed query is another source that is shown alike', () => {
    const [old, renewed] = ['a', 'b'].map((token) => sourceAt(`https://a.example/film.mp4?token=${token}`));
    expect(renewed?.label).toBe(old?.label);
    expect(renewed?.label).not.toContain('token');
    expect(renewed?.identity).not.toBe(old?.identity);
  });

  test('a length that stops in the middle is an error, not a short answer', async () => {
    const origin = await serve((_request, response) => {
      response.writeHead(206, { 'content-range': `bytes 0-99/${FILE.length}`, 'content-length': 100 });
      response.write(FILE.subarray(0, 10), () => response.destroy());
    });
    await expect(all(sourceAt(`${origin}/x`), 0, 100)).rejects.toBeInstanceOf(Unavailable);
  });

  test('is followed to other places only where the guard lets strangers lead us', async () => {
    let hits = 0;
    const elsewhere = (await serve(() => hits++)).replace('127.0.0.1', '127.0.0.2');
    const origin = await serve((request, response) => {
      if (request.url === '/here') response.writeHead(302, { location: '/there' }).end();
      else if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end();
      else if (request.url === '/away') response.writeHead(302, { location: `${elsewhere}/film` }).end();
      else if (request.url === '/file') response.writeHead(302, { location: 'file:///etc/passwd' }).end();
      else honest(request, response);
    });
    expect(await all(sourceAt(`${origin}/here`), 0, 100)).toHaveLength(100);
    for (const [path, reason] of Object.entries({ away: 'address', loop: 'redirects', file: 'url' }))
      await expect(all(sourceAt(`${origin}/${path}`), 0, 100)).rejects.toMatchObject({ facts: { reason } });
    expect(hits).toBe(0);
  });

  test('that a stranger named at an inner address is never asked', async () => {
    let asked = 0;
    const origin = await serve(() => asked++);
    await expect(all(sourceAt(`${origin}/x`, { source: 'told' }), 0, 100)).rejects.toBeInstanceOf(Unavailable);
    expect(asked).toBe(0);
  });

  test('ends when the caller aborts, before or in the middle', async () => {
    const origin = await serve((_request, response) => {
      response.writeHead(206, { 'content-range': `bytes 0-99/${FILE.length}`, 'content-length': 100 });
      response.write(FILE.subarray(0, 10));
    });
    await expect(all(sourceAt(`${origin}/x`), 0, 100, AbortSignal.abort())).rejects.toBeInstanceOf(Cancelled);
    const controller = new AbortController();
    const reading = (async () => {
      for await (const chunk of sourceAt(`${origin}/x`).fetch(0, 100, controller.signal))
        if (chunk.length > 0) controller.abort();
    })();
    await expect(reading).rejects.toBeInstanceOf(Cancelled);
  });

  test('that drips slower than the minimum rate is given up', async () => {
    const clock = new FakeClock();
    const origin = await serve((_request, response) => {
      response.writeHead(206, { 'content-range': `bytes 0-99999/${FILE.length}`, 'content-length': 100_000 });
      response.write(FILE.subarray(0, 1_000));
    });
    const source = sourceAt(`${origin}/x`, { guard: guardOf({ clock }), graceMs: 5_000, minBytesPerSecond: 1_000 });
    const chunks = source.fetch(0, 100_000, never);
    await chunks.next();
    const next = chunks.next().catch((error: unknown) => error);
    await clock.advanceAsync(5_999);
    expect(clock.pending).toBe(2); // grace and one second for 1,000 bytes are not over
    await clock.advanceAsync(1);
    expect(await next).toBeInstanceOf(TimedOut);
    expect(clock.pending).toBe(0);
  });

  test('is not blamed for the time in which nobody read, but has a total deadline', async () => {
    const clock = new FakeClock();
    const source = sourceAt(`${await serve(honest)}/x`, {
      guard: guardOf({ clock }),
      graceMs: 100,
      totalTimeoutMs: 60_000,
    });
    const chunks = source.fetch(0, FILE.length, never);
    await chunks.next();
    clock.advance(59_000);
    expect((await chunks.next()).done).toBe(false);
    clock.advance(1_000);
    await expect(
      (async () => {
        while ((await chunks.next()).done !== true);
      })(),
    ).rejects.toBeInstanceOf(TimedOut);
  });

  test('is let go of when the reader leaves early', async () => {
    const closed = Promise.withResolvers<void>();
    const origin = await serve((request, response) => {
      response.on('close', () => closed.resolve());
      honest(request, response);
    });
    for await (const chunk of sourceAt(`${origin}/x`).fetch(0, FILE.length, never)) if (chunk.length > 0) break;
    await closed.promise;
  });
});
