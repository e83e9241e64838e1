import { expect, test } from 'vitest';
import { concatBytes } from '../../base/bytes.ts';
import { parseSwarmKey } from '../../base/ids.ts';
import { KIB, MIB } from '../../base/units.ts';
import { encodeHandshake } from '../../codec/handshake.ts';
import { createPeerId } from '../../codec/peer-id.ts';
import { encodePieceIndex, encodeSignal } from '../../codec/wire-encode.ts';
import type { PeerMessage } from '../../codec/wire.ts';
import type { PeerSocket, PeerSocketListener } from '../ports.ts';
import { Connection, type ConnectionOwner } from './connection.ts';

const HELLO = encodeHandshake({
  swarmKey: parseSwarmKey('ab'.repeat(20)),
  peerId: createPeerId(),
  extensions: true,
  fast: true,
  dht: false,
  v2: false,
});

class FakeSocket implements PeerSocket {
  readonly transport = 'memory';
  readonly remote = undefined;
  readonly writes: Uint8Array[] = [];
  listener: PeerSocketListener | undefined;
  isPaused = false;
  isClosed = false;
  isFull = false;

  listen(listener: PeerSocketListener): void {
    this.listener = listener;
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    this.writes.push(bytes);
    released?.();
    return !this.isFull;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(): void {
    this.isClosed = true;
  }
}

function connect() {
  const socket = new FakeSocket();
  const events: string[] = [];
  const connection = new Connection(socket, {
    handshake: () => events.push('handshake'),
    closed: (cause) => events.push(`greeter closed: ${cause?.message}`),
  });
  connection.start();
  const messages: PeerMessage[] = [];
  const owner: ConnectionOwner = {
    message: (message) => messages.push(message),
    requested: () => events.push('request'),
    blockStart: () => events.push('block'),
    blockBytes: () => undefined,
    turn: () => events.push('turn'),
    drained: () => events.push('drained'),
    closed: (cause) => events.push(`owner closed: ${cause?.message}`),
  };
  return { socket, connection, events, messages, owner };
}

test.each([1, 7, 68, 1_000])('cut into parts of %i bytes, handshake and messages arrive whole', (size) => {
  const { socket, connection, events, messages, owner } = connect();
  const stream = concatBytes([HELLO, encodeSignal('haveNone'), encodePieceIndex('have', 77)]);
  for (let at = 0; at < stream.length; at += size) socket.listener?.received(stream.subarray(at, at + size));
  expect(events).toEqual(['handshake']);
  expect(messages).toEqual([]);
  connection.own(owner);
  expect(messages).toEqual([{ type: 'have-none' }, { type: 'have', piece: 77 }]);
});

test('what comes before anybody owns the connection is held, the socket paused, then resumed', () => {
  const { socket, connection, messages, owner } = connect();
  const chunk = concatBytes([HELLO, encodeSignal('interested')]);
  socket.listener?.received(chunk);
  chunk.fill(0); // the transport reuses its buffer
  expect(socket.isPaused).toBe(true);
  connection.own(owner);
  expect(socket.isPaused).toBe(false);
  expect(messages).toEqual([{ type: 'interested' }]);
});

test('more than 1 MiB held back ends the connection', () => {
  const { socket, events } = connect();
  socket.listener?.received(HELLO);
  for (let sent = 0; sent < MIB; sent += 256 * KIB) socket.listener?.received(new Uint8Array(256 * KIB));
  expect(socket.isClosed).toBe(false);
  socket.listener?.received(new Uint8Array(1));
  expect(socket.isClosed).toBe(true);
  expect(events.at(-1)).toMatch(/too much sent ahead/);
});

test('small messages of one turn leave in one write, and ahead of a large one', async () => {
  const { socket, connection } = connect();
  connection.send(encodeSignal('unchoke'));
  connection.send(encodeSignal('interested'));
  await Promise.resolve();
  expect(socket.writes.map(({ length }) => length)).toEqual([10]);
  connection.send(encodeSignal('choke'));
  connection.write(new Uint8Array(100), () => undefined);
  expect(socket.writes.map(({ length }) => length)).toEqual([10, 5, 100]);
});

test('what was sent just before closing still leaves; afterwards nothing does', async () => {
  const { socket, connection } = connect();
  connection.send(HELLO);
  connection.close();
  expect(socket.writes).toHaveLength(1);
  let released = 0;
  connection.send(HELLO);
  connection.write(HELLO, () => released++);
  await Promise.resolve();
  expect(socket.writes).toHaveLength(1);
  expect(released).toBe(1);
});

test('a peer that does not read is closed before 4 MiB of small messages wait for it', async () => {
  const { socket, connection, owner, events } = connect();
  socket.listener?.received(HELLO);
  connection.own(owner);
  socket.isFull = true;
  for (let at = 0; at < 70; at++) {
    connection.send(new Uint8Array(64 * KIB));
    await Promise.resolve();
  }
  expect(socket.isClosed).toBe(true);
  expect(events.at(-1)).toMatch(/does not read/);
  expect(socket.writes.length).toBeLessThan(67);
});

test('closed comes once, to the owner, whether we or the peer ended it', () => {
  const { socket, connection, owner, events } = connect();
  socket.listener?.received(HELLO);
  connection.own(owner);
  socket.listener?.received(encodeSignal('interested'));
  connection.close();
  connection.close();
  socket.listener?.closed(undefined);
  expect(events.filter((event) => event.includes('closed'))).toEqual(['owner closed: undefined']);
});

test('an error that is not about the peer is not hidden', () => {
  const { socket, connection, owner } = connect();
  socket.listener?.received(HELLO);
  connection.own({
    ...owner,
    message: () => {
      throw new RangeError('our own bug');
    },
  });
  expect(() => socket.listener?.received(encodeSignal('choke'))).toThrow('our own bug');
});
