import { expect, test } from 'vitest';
import { StorageFailed } from '../../base/errors.ts';
import { parseSwarmKey } from '../../base/ids.ts';
import { MIB } from '../../base/units.ts';
import { encodeHandshake } from '../../codec/handshake.ts';
import { createPeerId } from '../../codec/peer-id.ts';
import { BLOCK_BYTES, type BlockRef, WireReader } from '../../codec/wire.ts';
import { Geometry } from '../geometry.ts';
import { BufferPool } from '../limits/buffers.ts';
import { REQUEST_QUEUE_LIMIT, UploadQueue, type UploadPorts } from './upload-queue.ts';

const bytes = Uint8Array.from({ length: 2 * MIB }, (_, at) => (at * 31 + (at >> 8)) & 0xff);
const block = (piece: number, index: number): BlockRef => ({
  piece,
  offsetBytes: index * BLOCK_BYTES,
  lengthBytes: BLOCK_BYTES,
});

/** A peer's end: reads what is written, and says what storage was asked. */
class Receiver {
  readonly reads: { position: number; views: number }[] = [];
  readonly writes: number[] = [];
  readonly rejected: BlockRef[] = [];
  readonly blocks: { ref: BlockRef; bytes: Uint8Array }[] = [];
  readonly pool = new BufferPool(64 * MIB);
  readonly failures: unknown[] = [];
  isFull = false;
  allowance = Number.POSITIVE_INFINITY;
  failure: StorageFailed | undefined;
  readonly queue: UploadQueue;
  #current: { ref: BlockRef; bytes: Uint8Array; at: number } | undefined;

  constructor() {
    const reader = new WireReader({
      handshake: () => undefined,
      message: () => undefined,
      request: () => undefined,
      blockStart: (piece, offsetBytes, lengthBytes) => {
        this.#current = { ref: { piece, offsetBytes, lengthBytes }, bytes: new Uint8Array(lengthBytes), at: 0 };
      },
      blockBytes: (part, isLast) => {
        if (this.#current === undefined) return;
        this.#current.bytes.set(part, this.#current.at);
        this.#current.at += part.length;
        if (isLast) this.blocks.push(this.#current);
      },
    });
    const swarmKey = parseSwarmKey('00'.repeat(20));
    const hello = { swarmKey, peerId: createPeerId(), extensions: true, fast: true, dht: false, v2: false };
    reader.feed(encodeHandshake(hello));
    const ports: UploadPorts = {
      geometry: new Geometry(bytes.length, MIB),
      pool: this.pool,
      nowMs: () => 0,
      read: async (views, position) => {
        this.reads.push({ position, views: views.length });
        await Promise.resolve();
        if (this.failure) throw this.failure;
        let at = position;
        for (const view of views) {
          view.set(bytes.subarray(at, at + view.length));
          at += view.length;
        }
      },
      allowance: () => this.allowance,
      charge: (sizeBytes) => (this.allowance -= sizeBytes),
      write: (part, released) => {
        this.writes.push(part.length);
        reader.feed(part);
        released();
        return !this.isFull;
      },
      reject: (refs) => this.rejected.push(...refs),
      failed: (_requests, error) => this.failures.push(error),
    };
    this.queue = new UploadQueue(ports);
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

test('adjacent requests become one read between the headers and one write', async () => {
  const receiver = new Receiver();
  for (let at = 0; at < 64; at++) receiver.queue.add(block(0, at));
  receiver.queue.pump();
  await settle();
  expect(receiver.reads).toEqual([{ position: 0, views: 64 }]);
  expect(receiver.writes).toEqual([64 * (BLOCK_BYTES + 13)]);
  expect(receiver.blocks.map(({ ref }) => ref)).toEqual(Array.from({ length: 64 }, (_, at) => block(0, at)));
  for (const { ref, bytes: got } of receiver.blocks)
    expect(got).toEqual(bytes.slice(ref.offsetBytes, ref.offsetBytes + BLOCK_BYTES));
});

test('a gap or a step back begins a new read, in the same write, across pieces too', async () => {
  const receiver = new Receiver();
  for (const ref of [block(0, 62), block(0, 63), block(1, 0), block(1, 5), block(0, 0)]) receiver.queue.add(ref);
  receiver.queue.pump();
  await settle();
  expect(receiver.reads).toEqual([
    { position: 62 * BLOCK_BYTES, views: 3 },
    { position: MIB + 5 * BLOCK_BYTES, views: 1 },
    { position: 0, views: 1 },
  ]);
  expect(receiver.writes).toHaveLength(1);
});

test('the next batch waits until the socket has drained', async () => {
  const receiver = new Receiver();
  receiver.isFull = true;
  for (let at = 0; at < 100; at++) receiver.queue.add(block(at >> 6, at & 63));
  receiver.queue.pump();
  await settle();
  receiver.queue.pump();
  await settle();
  expect(receiver.writes).toHaveLength(1);
  receiver.queue.drained();
  await settle();
  expect(receiver.blocks).toHaveLength(100);
});

test('the scarcer buffers are, the less of them one peer gets at a time', async () => {
  const receiver = new Receiver();
  receiver.pool.acquire(60 * MIB);
  for (let at = 0; at < 64; at++) receiver.queue.add(block(0, at));
  receiver.isFull = true;
  receiver.queue.pump();
  await settle();
  expect(receiver.blocks).toHaveLength(16);
  expect(receiver.queue.takenBytes).toBe(16 * (BLOCK_BYTES + 13));
});

test('a limit is kept within one block, and what waits goes out later', async () => {
  const receiver = new Receiver();
  receiver.allowance = 3 * BLOCK_BYTES;
  for (let at = 0; at < 10; at++) receiver.queue.add(block(0, at));
  receiver.queue.pump();
  await settle();
  expect(receiver.blocks).toHaveLength(3);
  receiver.allowance = 5;
  receiver.queue.pump();
  await settle();
  expect(receiver.blocks).toHaveLength(4);
});

test('a queue that is full refuses, and goes on refusing only so long', () => {
  const receiver = new Receiver();
  for (let at = 0; at < REQUEST_QUEUE_LIMIT + 2_000; at++) receiver.queue.add(block(0, at & 63));
  expect(receiver.rejected).toHaveLength(2_000);
  expect(() => receiver.queue.add(block(0, 0))).toThrow(/flood/);
});

test('choked, everything that waits is refused once', async () => {
  const receiver = new Receiver();
  receiver.allowance = 0;
  for (let at = 0; at < 5; at++) receiver.queue.add(block(0, at));
  receiver.queue.refuse(() => true);
  receiver.queue.refuse(() => true);
  receiver.allowance = MIB;
  receiver.queue.pump();
  await settle();
  expect(receiver.rejected).toHaveLength(5);
  expect(receiver.blocks).toEqual([]);
});

test('a read that fails refuses its batch, reports, leaks no buffer and costs no allowance', async () => {
  const receiver = new Receiver();
  receiver.allowance = MIB;
  receiver.failure = new StorageFailed('the disk is gone');
  for (const ref of [block(0, 0), block(0, 9)]) receiver.queue.add(ref);
  receiver.queue.pump();
  await settle();
  expect(receiver.rejected).toEqual([block(0, 0), block(0, 9)]);
  expect(receiver.failures).toEqual([receiver.failure]);
  expect(receiver.pool.lentBytes).toBe(0);
  expect(receiver.allowance).toBe(MIB);
});

test('closed in the middle of a read, nothing is written, and buffer and allowance come back', async () => {
  const receiver = new Receiver();
  receiver.allowance = MIB;
  receiver.queue.add(block(0, 0));
  receiver.queue.pump();
  receiver.queue.close();
  await settle();
  expect(receiver.writes).toEqual([]);
  expect(receiver.pool.lentBytes).toBe(0);
  expect(receiver.allowance).toBe(MIB);
});

test('without a free buffer nothing is lost: the next pump serves it', async () => {
  const receiver = new Receiver();
  const held: Uint8Array<ArrayBuffer>[] = [];
  for (let buffer = receiver.pool.acquire(MIB); buffer !== undefined; buffer = receiver.pool.acquire(MIB))
    held.push(buffer);
  receiver.queue.add(block(0, 0));
  receiver.queue.pump();
  await settle();
  expect(receiver.blocks).toEqual([]);
  for (const buffer of held) receiver.pool.release(buffer);
  receiver.queue.pump();
  await settle();
  expect(receiver.blocks).toHaveLength(1);
});
