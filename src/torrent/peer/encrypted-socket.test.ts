import { expect, test } from 'vitest';
import { concatBytes, randomBytes, toHex } from '../../base/bytes.ts';
import { KIB } from '../../base/units.ts';
import { Rc4 } from '../../codec/rc4.ts';
import type { PeerSocket, PeerSocketListener } from '../ports.ts';
import { EncryptedSocket } from './encrypted-socket.ts';

/** Keeps what is written and lets a test be the transport. */
class Wire implements PeerSocket {
  readonly transport = 'tcp';
  readonly remote = { host: '192.0.2.7', port: 6881 };
  readonly writes: { readonly bytes: Uint8Array; readonly released: (() => void) | undefined }[] = [];
  readonly calls: string[] = [];
  listener: PeerSocketListener | undefined;

  listen(listener: PeerSocketListener): void {
    this.listener = listener;
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    this.writes.push({ bytes, released });
    return this.writes.length % 2 === 1;
  }

  pause(): void {
    this.calls.push('pause');
  }

  resume(): void {
    this.calls.push('resume');
  }

  close(): void {
    this.calls.push('close');
  }
}

const THERE = Uint8Array.of(1, 2, 3);
const BACK = Uint8Array.of(4, 5, 6);
const encrypt = (key: Uint8Array, bytes: Uint8Array): Uint8Array => {
  const encrypted = bytes.slice();
  new Rc4(key).apply(encrypted);
  return encrypted;
};

function connect() {
  const wire = new Wire();
  const socket = new EncryptedSocket(wire, { outgoing: new Rc4(THERE), incoming: new Rc4(BACK) });
  return { wire, socket };
}

function listening(socket: PeerSocket, received: (bytes: Uint8Array) => void): string[] {
  const events: string[] = [];
  socket.listen({
    received,
    drained: () => events.push('drained'),
    closed: (cause) => events.push(`closed ${cause?.message}`),
  });
  return events;
}

test('a pooled buffer is encrypted where it lies and released by the transport alone', () => {
  const { wire, socket } = connect();
  const pooled = randomBytes(5_000);
  const wanted = toHex(encrypt(THERE, pooled));
  let released = 0;
  socket.write(pooled, () => released++);
  expect(wire.writes[0]?.bytes).toBe(pooled);
  expect(toHex(pooled)).toBe(wanted);
  expect(released).toBe(0);
  wire.writes[0]?.released?.();
  expect(released).toBe(1);
});

test('a buffer that stays the caller’s is left as it is', () => {
  const { wire, socket } = connect();
  const message = randomBytes(68);
  const before = toHex(message);
  socket.write(message);
  expect(toHex(message)).toBe(before);
  expect(toHex(wire.writes[0]?.bytes ?? message)).toBe(toHex(encrypt(THERE, message)));
});

test('both kinds are one stream, in the order of the writes', () => {
  const { wire, socket } = connect();
  const parts = [randomBytes(10), randomBytes(3_000), randomBytes(7)];
  const wanted = toHex(encrypt(THERE, concatBytes(parts)));
  expect(parts.map((part, at) => socket.write(part, at === 1 ? () => undefined : undefined))).toEqual([
    true,
    false,
    true,
  ]);
  expect(toHex(concatBytes(wire.writes.map(({ bytes }) => bytes)))).toBe(wanted);
});

test('the transport’s receive buffer is not changed, however large the chunk', () => {
  const { wire, socket } = connect();
  const plain = randomBytes(60_000);
  const long = concatBytes([plain, plain, plain, plain]);
  const chunk = encrypt(BACK, long);
  const before = toHex(chunk);
  const received: Uint8Array[] = [];
  listening(socket, (bytes) => received.push(bytes.slice()));
  wire.listener?.received(chunk);
  expect(toHex(chunk)).toBe(before);
  expect(Buffer.compare(concatBytes(received), long)).toBe(0);
  expect(Math.max(...received.map(({ length }) => length))).toBeLessThanOrEqual(64 * KIB);
});

test('bytes handed out stay right when another socket receives within the callback', () => {
  const [outer, inner] = [connect(), connect()];
  const plain = randomBytes(1_000);
  listening(inner.socket, () => undefined);
  let seen: Uint8Array | undefined;
  listening(outer.socket, (bytes) => {
    inner.wire.listener?.received(new Uint8Array(1_000));
    seen = bytes.slice();
  });
  outer.wire.listener?.received(encrypt(BACK, plain));
  expect(toHex(seen ?? new Uint8Array(0))).toBe(toHex(plain));
});

test('everything else is the transport’s own', () => {
  const { wire, socket } = connect();
  const events = listening(socket, () => undefined);
  socket.pause();
  socket.resume();
  socket.close();
  wire.listener?.drained();
  wire.listener?.closed(new Error('broken'));
  expect([socket.transport, socket.remote]).toEqual([wire.transport, wire.remote]);
  expect(wire.calls).toEqual(['pause', 'resume', 'close']);
  expect(events).toEqual(['drained', 'closed broken']);
});
