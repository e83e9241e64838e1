/** Nothing a stranger names leads inwards: canaries on this machine listen, and hear nothing. */
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import hostile from '../../../test/vectors/hostile-urls.json' with { type: 'json' };
import { eventually } from '../../../test/support/eventually.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { AddressPolicy } from '../../base/address-policy.ts';
import { Cancelled } from '../../base/errors.ts';
import { guardedFetch, type FetchOptions } from './fetch.ts';
import { FetchFailed } from './fetch-failed.ts';
import { Guard, type GuardOptions } from './guard.ts';
import { type Lookup, Names } from './names.ts';

const never = new AbortController().signal;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function serve(handler: http.RequestListener, host = '127.0.0.1', port = 0): Promise<http.Server> {
  const server = http.createServer(handler).listen(port, host);
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return server;
}

const portOf = (server: net.Server): number => (server.address() as AddressInfo).port;

function guardOf(options: Partial<GuardOptions> = {}): Guard {
  const guard = new Guard({ policy: new AddressPolicy(), ...options });
  cleanups.push(() => guard.close());
  return guard;
}

/** Answers question by question, the last for ever. */
function resolver(answers: readonly (readonly string[])[] = [['93.184.215.14']]): Lookup & { asked: number } {
  const lookup = Object.assign(() => Promise.resolve(answers[Math.min(lookup.asked++, answers.length - 1)] ?? []), {
    asked: 0,
  });
  return lookup;
}

const DOCUMENT = { source: 'told', signal: never, maxBytes: 1_000 } as const;

async function fetched(guard: Guard, url: string, options: Partial<FetchOptions> = {}): Promise<string> {
  try {
    const { bytes } = await guardedFetch(guard, url, { ...DOCUMENT, ...options });
    return Buffer.from(bytes).toString();
  } catch (error) {
    if (!(error instanceof FetchFailed)) throw error;
    return `refused: ${error.reason}`;
  }
}

describe('a URL that a stranger names', () => {
  test.each(hostile.reaching)('$url reaches this machine without the guard, and not with it', async (entry) => {
    let hits = 0;
    const canary = await serve((_request, response) => response.end(String(++hits)), '::');
    const url = entry.url.replace('{port}', String(portOf(canary)));
    expect(await fetched(guardOf({ lookup: resolver(entry.answers) }), url)).toBe('refused: address');
    expect(hits).toBe(0);
    expect(await fetched(guardOf({ lookup: resolver(entry.answers) }), url, { source: 'judged' })).toBe('1');
  });

  test.each(hostile.refused)('$url is refused: $reason', async ({ url, answers, reason }) => {
    expect(await fetched(guardOf({ lookup: resolver(answers) }), url)).toBe(`refused: ${reason}`);
  });

  test('gets the same error for every cause', async () => {
    const server = await serve((_request, response) => response.writeHead(404).end());
    const guard = guardOf();
    guard.policy.trust('127.0.0.1');
    const urls = [`http://127.0.0.1:${portOf(server)}/`, 'http://10.0.0.1/', 'http://files.example:22/', 'x'];
    const errors = await Promise.all(
      urls.map((url) => guardedFetch(guard, url, DOCUMENT).catch((error: unknown) => error)),
    );
    const seen = errors.map((error) => error instanceof FetchFailed && [error.code, error.message, error.facts]);
    expect(seen).toEqual(urls.map(() => ['fetch_failed', 'this could not be fetched', {}]));
  });
});

describe('a redirect', () => {
  /** A trusted host that sends us along `locations`, and a canary beside it. */
  async function trap(...locations: readonly string[]): Promise<{ guard: Guard; url: string; hits: () => number }> {
    let [next, hits] = [0, 0];
    const server = await serve((_request, response) => {
      const location = locations[next++]?.replace('{port}', String(portOf(server)));
      if (location === undefined) response.end('the end');
      else response.writeHead(302, { location }).end();
    });
    await serve((_request, response) => response.end(String(++hits)), '127.0.0.2', portOf(server));
    const guard = guardOf({ lookup: resolver([['127.0.0.1']]) });
    guard.policy.trust('127.0.0.1');
    return { guard, url: `http://files.example:${portOf(server)}/`, hits: () => hits };
  }

  test.each([
    ['http://127.0.0.2:{port}/', 'refused: address'],
    ['//127.0.0.2:{port}/', 'refused: address'],
    ['http://0x7f000002:{port}/', 'refused: address'],
    ['http://u@files.example:{port}/', 'refused: url'],
    ['file:///etc/passwd', 'refused: url'],
    ['gopher://files.example/', 'refused: url'],
    ['http://[', 'refused: url'],
    ['http://files.example:25/', 'refused: port'],
    ['/elsewhere', 'the end'],
    ['//files.example:{port}/x', 'the end'],
  ])('to %s: %s', async (location, outcome) => {
    const { guard, url, hits } = await trap(location);
    expect(await fetched(guard, url)).toBe(outcome);
    expect(hits()).toBe(0);
  });

  test('is followed three times and no more', async () => {
    const three = await trap('/1', '/2', '/3');
    expect(await fetched(three.guard, three.url)).toBe('the end');
    const four = await trap('/1', '/2', '/3', '/4');
    expect(await fetched(four.guard, four.url)).toBe('refused: redirects');
  });

  test('from where a person wished to go is a stranger’s word, except back to the same machine', async () => {
    const away = await trap('http://127.0.0.2:{port}/');
    expect(await fetched(guardOf({ lookup: resolver([['127.0.0.1']]) }), away.url, { source: 'judged' })).toBe(
      'refused: address',
    );
    expect(away.hits()).toBe(0);
    const back = await trap('/again');
    expect(await fetched(guardOf({ lookup: resolver([['127.0.0.1']]) }), back.url, { source: 'judged' })).toBe(
      'the end',
    );
  });
});

describe('a connection', () => {
  test('goes to the addresses that were judged: a name is resolved once, however often it is used', async () => {
    const server = await serve((_request, response) => response.end('ours'));
    await serve((_request, response) => response.end('theirs'), '127.0.0.2', portOf(server));
    const lookup = resolver([['127.0.0.1'], ['127.0.0.2']]);
    const guard = guardOf({ lookup });
    guard.policy.trust('127.0.0.1');
    const url = `http://files.example:${portOf(server)}/`;
    expect(await Promise.all([fetched(guard, url), fetched(guard, url), fetched(guard, url)])).toEqual([
      'ours',
      'ours',
      'ours',
    ]);
    expect(lookup.asked).toBe(1);
  });

  test('is used again, but not by a stranger’s URL when a person’s wish has opened it', async () => {
    const server = await serve((_request, response) => response.end('ok'));
    let connections = 0;
    server.on('connection', () => connections++);
    const guard = guardOf();
    const url = `http://127.0.0.1:${portOf(server)}/`;
    await fetched(guard, url, { source: 'judged' });
    await fetched(guard, url, { source: 'judged' });
    expect(connections).toBe(1);
    guard.policy.trust('127.0.0.1');
    await fetched(guard, url);
    await fetched(guard, url);
    expect(connections).toBe(2);
  });

  test('that the server closes when it is used again is opened anew', async () => {
    const used = new Set<unknown>();
    const server = await serve((request, response) => {
      if (used.has(request.socket)) request.socket.destroy();
      else response.end('ok');
      used.add(request.socket);
    });
    const guard = guardOf();
    const url = `http://127.0.0.1:${portOf(server)}/`;
    expect(await fetched(guard, url, { source: 'judged' })).toBe('ok');
    expect(await fetched(guard, url, { source: 'judged' })).toBe('ok');
    expect(used.size).toBe(2);
  });

  test('over TLS carries the name, not the address', async () => {
    const hello = Promise.withResolvers<string>();
    const server = net.createServer((socket) => {
      socket.once('data', (bytes) => {
        hello.resolve(bytes.toString('latin1'));
        socket.destroy();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => server.close());
    const guard = guardOf({ lookup: resolver([['127.0.0.1']]) });
    guard.policy.trust('127.0.0.1');
    expect(await fetched(guard, `https://files.example:${portOf(server)}/`)).toBe('refused: connection');
    expect(await hello.promise).toContain('files.example');
  });

  test('carries the name in Host, wants no coding, and nothing of ours', async () => {
    const headers = Promise.withResolvers<http.IncomingHttpHeaders>();
    const server = await serve((request, response) => {
      headers.resolve(request.headers);
      response.end();
    });
    const guard = guardOf({ lookup: resolver([['127.0.0.1']]) });
    guard.policy.trust('127.0.0.1');
    await fetched(guard, `http://files.example:${portOf(server)}/`);
    expect(await headers.promise).toEqual({
      host: `files.example:${portOf(server)}`,
      'accept-encoding': 'identity',
      'user-agent': 'Seedbed',
      connection: 'keep-alive',
    });
  });
});

describe('an answer', () => {
  test.each<[string, http.RequestListener, string]>([
    ['of the right size', (_request, response) => response.end('x'.repeat(1_000)), 'x'.repeat(1_000)],
    [
      'that says it is too long',
      (_request, response) => response.writeHead(200, { 'content-length': 1_001 }).flushHeaders(),
      'refused: size',
    ],
    [
      'that is too long without saying so',
      (_request, response) => void response.write('x'.repeat(1_001)),
      'refused: size',
    ],
    ['with another status', (_request, response) => response.writeHead(500).end('x'), 'refused: status'],
    [
      'in a coding',
      (_request, response) => response.writeHead(200, { 'content-encoding': 'br' }).end('x'),
      'refused: encoding',
    ],
    [
      'with endless headers',
      (_request, response) => response.writeHead(200, { x: 'x'.repeat(20_000) }).end(),
      'refused: connection',
    ],
    [
      'that ends in the middle',
      (_request, response) => response.writeHead(200, { 'content-length': 9 }).write('x', () => response.destroy()),
      'refused: connection',
    ],
  ])('%s', async (_what, handler, outcome) => {
    const guard = guardOf();
    expect(await fetched(guard, `http://127.0.0.1:${portOf(await serve(handler))}/`, { source: 'judged' })).toBe(
      outcome,
    );
  });

  test('has one deadline from the look-up on', async () => {
    const clock = new FakeClock();
    const slow: Lookup = () => new Promise((resolve) => void clock.after(15_000, () => resolve(['127.0.0.1'])));
    let asked = 0;
    const server = await serve(() => asked++);
    const outcome = fetched(guardOf({ clock, lookup: slow }), `http://files.example:${portOf(server)}/`, {
      source: 'judged',
    });
    await clock.advanceAsync(15_000);
    await eventually('the request', () => asked === 1);
    await clock.advanceAsync(5_000);
    expect(await outcome).toBe('refused: slow');
    expect(clock.pending).toBe(0);
  });

  test('that drips is given up long before the deadline', async () => {
    const clock = new FakeClock();
    const server = await serve((_request, response) => void response.write('x'));
    const guard = guardOf({ clock });
    const outcome = fetched(guard, `http://127.0.0.1:${portOf(server)}/`, {
      source: 'judged',
      graceMs: 1_000,
      deadlineMs: 60_000,
    });
    await eventually('the body is waited for', () => clock.pending === 2);
    await clock.advanceAsync(1_001);
    expect(await outcome).toBe('refused: slow');
    expect(clock.pending).toBe(0);
  });

  test('nobody wants any more is let go of', async () => {
    const gone = Promise.withResolvers<void>();
    const server = await serve((request) => request.socket.on('close', () => gone.resolve()));
    const caller = new AbortController();
    const outcome = fetched(guardOf(), `http://127.0.0.1:${portOf(server)}/`, {
      source: 'judged',
      signal: caller.signal,
    });
    await once(server, 'request');
    caller.abort();
    await expect(outcome).rejects.toBeInstanceOf(Cancelled);
    await gone.promise;
  });
});

test('of an answer’s headers 16 KiB are taken, and no more', async () => {
  const fits = await serve((_request, response) => response.writeHead(200, { 'x-long': 'x'.repeat(15_000) }).end('1'));
  const floods = await serve((_request, response) =>
    response.writeHead(200, { 'x-long': 'x'.repeat(17_000) }).end('1'),
  );
  const asked = [fits, floods].map((server) =>
    fetched(guardOf(), `http://127.0.0.1:${portOf(server)}/`, { source: 'judged' }),
  );
  expect(await Promise.all(asked)).toEqual(['1', 'refused: connection']);
});

test('512 names are kept, the latest ones', async () => {
  const lookup = resolver([['93.184.215.14']]);
  const names = new Names(lookup, new FakeClock());
  for (let name = 0; name < 512; name++) await names.resolve(`${name}.example`, never);
  await names.resolve('0.example', never);
  expect(lookup.asked).toBe(512);
  await names.resolve('new.example', never);
  await names.resolve('1.example', never);
  expect(lookup.asked).toBe(513); // all but the oldest
  await names.resolve('0.example', never);
  expect(lookup.asked).toBe(514);
});

test('names are resolved two at a time, and failures are kept for a short while only', async () => {
  const clock = new FakeClock();
  const asked: string[] = [];
  const release: (() => void)[] = [];
  const lookup: Lookup = (name) => {
    asked.push(name);
    return new Promise((_resolve, reject) => release.push(() => reject(new Error('no such name'))));
  };
  const guard = guardOf({ clock, lookup });
  const all = ['a', 'b', 'c', 'a'].map((name) => fetched(guard, `http://${name}.example/`));
  await clock.advanceAsync(0);
  expect(asked).toEqual(['a.example', 'b.example']);
  release.splice(0).forEach((fail) => fail());
  await clock.advanceAsync(0);
  release.splice(0).forEach((fail) => fail());
  expect(await Promise.all(all)).toEqual(all.map(() => 'refused: name'));
  expect(await fetched(guard, 'http://c.example/')).toBe('refused: name');
  expect(asked).toEqual(['a.example', 'b.example', 'c.example']);
  clock.advance(10_001);
  void fetched(guard, 'http://c.example/').catch(() => undefined);
  await clock.advanceAsync(0);
  expect(asked).toHaveLength(4);
  release.splice(0).forEach((fail) => fail());
});
