import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { KIB, MIB } from '../../base/units.ts';
import type { ByteChannel } from './byte-channel.ts';
import { ChannelSocket } from './channel-socket.ts';

/** A channel whose network stands still until the test says so. */
class StillChannel extends EventTarget implements ByteChannel {
  binaryType = 'blob';
  readyState: ByteChannel['readyState'] = 'connecting';
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  readonly sent: number[] = [];

  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.readyState !== 'open') throw new DOMException('not open', 'InvalidStateError');
    this.sent.push(bytes.length);
    this.bufferedAmount += bytes.length;
  }

  open(): void {
    this.readyState = 'open';
    this.dispatchEvent(new Event('open'));
  }

  drain(toBytes: number): void {
    this.bufferedAmount = toBytes;
    this.dispatchEvent(new Event('bufferedamountlow'));
  }

  receive(data: unknown): void {
    this.dispatchEvent(new MessageEvent('message', { data }));
  }

  close(): void {
    this.readyState = 'closed';
    this.dispatchEvent(new Event('close'));
  }
}

function connect(): { channel: StillChannel; socket: ChannelSocket; heard: string[] } {
  const channel = new StillChannel();
  const socket = new ChannelSocket(channel);
  const heard: string[] = [];
  socket.listen({
    received: (bytes) => heard.push(`received ${bytes.length}`),
    drained: () => heard.push('drained'),
    closed: (cause) => heard.push(`closed ${cause?.message ?? 'cleanly'}`),
  });
  return { channel, socket, heard };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a data channel as a byte stream', () => {
  test('bytes written before it opens leave when it opens, in messages of at most 64 KiB', () => {
    const { channel, socket } = connect();
    let released = 0;
    socket.write(new Uint8Array(68), () => released++);
    socket.write(new Uint8Array(150_000), () => released++);
    expect([channel.sent, released]).toEqual([[], 0]);
    channel.open();
    expect([channel.sent, released]).toEqual([[68, 65_536, 65_536, 18_928], 2]);
  });

  test('a writer is stopped at 4 MiB of backlog and told to go on at 1 MiB', () => {
    const { channel, socket, heard } = connect();
    channel.open();
    expect(socket.write(new Uint8Array(4 * MIB - 1))).toBe(true);
    expect(socket.write(new Uint8Array(1))).toBe(false);
    channel.drain(MIB + 1);
    expect(heard).toEqual([]);
    channel.drain(MIB);
    expect(heard).toEqual(['drained']);
  });

  test('a writer that ignores the backlog is cut off before the browser would throw, and its buffers come back', async () => {
    const { channel, socket, heard } = connect();
    channel.open();
    let released = 0;
    for (let written = 0; written < 17; written++) socket.write(new Uint8Array(MIB), () => released++);
    await settled();
    expect(released).toBe(17);
    expect(channel.bufferedAmount).toBeLessThanOrEqual(16 * MIB);
    expect(heard).toEqual(['closed the peer does not take bytes as fast as they are written']);
  });

  test.each([
    { allowed: undefined, largest: 64 * KIB },
    { allowed: 100_000, largest: 100_000 },
    { allowed: 262_144, largest: 256 * KIB },
  ])('on a fast line messages are as large as the other side takes: $allowed', ({ allowed, largest }) => {
    const clock = new FakeClock();
    const channel = new StillChannel();
    const socket = new ChannelSocket(channel, undefined, clock);
    socket.listen({ received: () => undefined, drained: () => undefined, closed: () => undefined });
    channel.open();
    if (allowed !== undefined) socket.allowMessages(allowed);
    for (let ms = 0; ms < 300; ms += 10) {
      socket.write(new Uint8Array(MIB));
      clock.advance(10);
      channel.drain(0);
    }
    expect(Math.max(...channel.sent)).toBe(largest);
  });

  test('what comes while paused waits in order, and a flood is cut off', async () => {
    const { channel, socket, heard } = connect();
    channel.receive(new ArrayBuffer(1));
    socket.pause();
    channel.receive(new ArrayBuffer(2));
    channel.receive(new ArrayBuffer(3));
    expect(heard).toEqual(['received 1']);
    socket.resume();
    expect(heard).toEqual(['received 1', 'received 2', 'received 3']);
    socket.pause();
    for (let received = 0; received < 17; received++) channel.receive(new ArrayBuffer(MIB));
    await settled();
    expect(channel.readyState).toBe('closed');
    expect(heard.at(-1)).toBe('closed a peer sent far more than it was asked for');
  });

  test('what came before anybody listened, the end included, is told after the call that begins to listen', async () => {
    const channel = new StillChannel();
    const socket = new ChannelSocket(channel);
    channel.receive(new ArrayBuffer(5));
    channel.close();
    const heard: string[] = [];
    socket.listen({
      received: (bytes) => heard.push(`received ${bytes.length}`),
      drained: () => {},
      closed: () => heard.push('closed'),
    });
    expect(heard).toEqual([]);
    await settled();
    expect(heard).toEqual(['received 5', 'closed']);
  });

  test.each([
    ['we close', ({ socket }: ReturnType<typeof connect>) => socket.close()],
    ['the peer closes', ({ channel }: ReturnType<typeof connect>) => channel.close()],
  ])('when %s, the end is told exactly once, and writing later gives the buffer back', async (_, end) => {
    const connection = connect();
    connection.channel.open();
    end(connection);
    end(connection);
    await settled();
    let released = 0;
    expect(connection.socket.write(new Uint8Array(1), () => released++)).toBe(false);
    expect([connection.heard, released]).toEqual([['closed cleanly'], 1]);
  });

  test('text instead of bytes ends the connection', async () => {
    const { channel, heard } = connect();
    channel.receive('hello');
    await settled();
    expect(heard).toEqual(['closed a peer sent text, not bytes']);
  });
});
