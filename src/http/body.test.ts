/** Request bodies over a real socket, with time in the test's hands. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { Cancelled, InvalidInput, LengthRequired, TimedOut } from '../base/errors.ts';
import { openBody, requireLength, type BodyReader } from './body.ts';

const LIMITS = { minBytesPerSec: 1_000, graceMs: 10_000 };

interface Arrival {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly socket: net.Socket;
}

/** A request whose head has arrived at a server, its client's socket in hand. */
async function arrive(head = 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n'): Promise<Arrival> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
    server.close();
  });
  socket.write(head);
  const [request, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
  return { request, response, socket };
}

async function waitingFor(body: BodyReader, clock: FakeClock): Promise<void> {
  await eventually('the reader waits', () => {
    clock.advance(1);
    return body.waitingMs() > 0;
  });
}

test('a body that drips below the rate after its grace is given up', async () => {
  const clock = new FakeClock();
  const { request, response, socket } = await arrive();
  const body = openBody(request, response, clock, LIMITS);
  const chunks = body.chunks()[Symbol.asyncIterator]();
  for (let chunk = 0; chunk < 10; chunk++) {
    const next = chunks.next();
    await waitingFor(body, clock);
    clock.advance(900);
    socket.write('x');
    expect((await next).done).toBe(false);
  }
  const next = expect(chunks.next()).rejects.toThrow(TimedOut);
  await waitingFor(body, clock);
  clock.advance(5_000);
  socket.write('x');
  await next;
});

test('a body at the rate goes on, however long it takes', async () => {
  const clock = new FakeClock();
  const { request, response, socket } = await arrive();
  const body = openBody(request, response, clock, LIMITS);
  const chunks = body.chunks()[Symbol.asyncIterator]();
  for (let chunk = 0; chunk < 20; chunk++) {
    const next = chunks.next();
    await waitingFor(body, clock);
    clock.advance(900);
    socket.write('x'.repeat(2_000));
    expect((await next).done).toBe(false);
  }
  await chunks.return?.();
});

test("the server's own slowness does not count against the client", async () => {
  const clock = new FakeClock();
  const { request, response, socket } = await arrive();
  const body = openBody(request, response, clock, LIMITS);
  const chunks = body.chunks()[Symbol.asyncIterator]();
  for (let chunk = 0; chunk < 5; chunk++) {
    socket.write('x');
    expect((await chunks.next()).done).toBe(false);
    clock.advance(60_000);
    expect(body.waitingMs()).toBe(0);
  }
  await chunks.return?.();
});

test('a client that goes away is told from one that has finished', async () => {
  const { request, response, socket } = await arrive();
  const chunks = openBody(request, response, new FakeClock(), LIMITS).chunks()[Symbol.asyncIterator]();
  socket.write('abc');
  expect((await chunks.next()).value).toEqual(Buffer.from('abc'));
  socket.destroy();
  await expect(chunks.next()).rejects.toThrow(Cancelled);
});

test('leaving a body early leaves the connection alive for the answer', async () => {
  const { request, response, socket } = await arrive('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nabc');
  for await (const _ of openBody(request, response, new FakeClock(), LIMITS).chunks()) break;
  response.end('an answer');
  const [data] = (await once(socket, 'data')) as [Buffer];
  expect(data.toString()).toContain('an answer');
});

test('a length is a number of bytes or an error', () => {
  const request = (length?: string) => ({ headers: { 'content-length': length } }) as unknown as IncomingMessage;
  expect(requireLength(request('0'))).toBe(0);
  expect(() => requireLength(request())).toThrow(LengthRequired);
  for (const bad of ['-1', '1e9', '0x10', '9'.repeat(20), ''])
    expect(() => requireLength(request(bad))).toThrow(InvalidInput);
});

test.each(['chunks', 'lentChunks'] as const)('a body passes whole through %s', async (kind) => {
  const { request, response, socket } = await arrive();
  const sent = seededBytes('lent', 1_000_000);
  socket.write(sent);
  const received: Uint8Array[] = [];
  for await (const chunk of openBody(request, response, new FakeClock(), LIMITS)[kind]())
    received.push(new Uint8Array(chunk));
  expect(Buffer.concat(received).equals(sent)).toBe(true);
});

test('the memory of a lent chunk is freed when the next one is asked for, that of a kept one is not', async () => {
  for (const kind of ['chunks', 'lentChunks'] as const) {
    const { request, response, socket } = await arrive();
    socket.write(seededBytes('lent', 1_000_000));
    let before: Uint8Array | undefined;
    for await (const chunk of openBody(request, response, new FakeClock(), LIMITS)[kind]()) {
      if (before !== undefined) expect(before.length === 0).toBe(kind === 'lentChunks');
      before = chunk;
    }
  }
});
