/**
 * What every transport promises of its PeerSocket (src/torrent/ports.ts). Each adapter runs this suite over a pair of
 * sockets that are connected to each other.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { concatBytes, randomBytes, toHex } from '../../src/base/bytes.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import type { PeerSocket } from '../../src/torrent/ports.ts';

export interface SocketPair {
  readonly near: PeerSocket;
  readonly far: PeerSocket;
  /** Closes both and whatever carried them. */
  stop(): Promise<void>;
}

/** Collects what one socket reports and lets a test wait for it. */
export class SocketWitness {
  readonly chunks: Uint8Array[] = [];
  receivedBytes = 0;
  drains = 0;
  /** Every `closed`, and every event that came after one. */
  readonly closings: (Error | undefined)[] = [];
  readonly late: string[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(socket: PeerSocket) {
    socket.listen({
      received: (bytes) => {
        if (this.closings.length > 0) this.late.push('received');
        this.chunks.push(bytes.slice());
        this.receivedBytes += bytes.length;
        this.#changed();
      },
      drained: () => {
        if (this.closings.length > 0) this.late.push('drained');
        this.drains++;
        this.#changed();
      },
      closed: (cause) => {
        this.closings.push(cause);
        this.#changed();
      },
    });
  }

  bytes(): Uint8Array {
    return concatBytes(this.chunks);
  }

  /** Resolves when the condition holds; looks again at every event. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  #changed(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}

/** The suite. `connect` is called once per test. */
export function peerSocketContract(transport: string, connect: () => Promise<SocketPair>): void {
  describe(`${transport} as a PeerSocket`, () => {
    let pair: SocketPair | undefined;
    const open = async (): Promise<SocketPair> => (pair = await connect());
    afterEach(async () => {
      await pair?.stop();
      pair = undefined;
    });

    test('carries bytes in order both ways, however they were cut', async () => {
      const { near, far } = await open();
      const [there, back] = [randomBytes(60_000), randomBytes(50_001)];
      const [atNear, atFar] = [new SocketWitness(near), new SocketWitness(far)];
      for (let at = 0; at < there.length; at += 7_001) near.write(there.slice(at, at + 7_001));
      for (let at = 0; at < back.length; at += 13) far.write(back.slice(at, at + 13));
      await atFar.until(() => atFar.receivedBytes >= there.length);
      await atNear.until(() => atNear.receivedBytes >= back.length);
      expect(toHex(atFar.bytes())).toBe(toHex(there));
      expect(toHex(atNear.bytes())).toBe(toHex(back));
    });

    test('takes one write far above its message and buffer sizes', async () => {
      const { near, far } = await open();
      const big = concatBytes(Array.from({ length: 40 }, () => randomBytes(64 * KIB)));
      const atFar = new SocketWitness(far);
      near.write(big);
      await atFar.until(() => atFar.receivedBytes >= big.length);
      expect(Buffer.compare(atFar.bytes(), big)).toBe(0);
    });

    test('keeps what comes before somebody listens', async () => {
      const { near, far } = await open();
      await new Promise<void>((resolve) => {
        near.write(Uint8Array.of(1, 2, 3), resolve);
      });
      const atFar = new SocketWitness(far);
      await atFar.until(() => atFar.receivedBytes === 3);
      expect([...atFar.bytes()]).toEqual([1, 2, 3]);
    });

    test('hands the rest of the stream to another listener, also from within a callback', async () => {
      const { near, far } = await open();
      const sent = randomBytes(60_000);
      const first: Uint8Array[] = [];
      const second = new Promise<SocketWitness>((resolve) => {
        far.listen({
          received: (bytes) => {
            first.push(bytes.slice());
            resolve(new SocketWitness(far));
          },
          drained: () => undefined,
          closed: () => undefined,
        });
      });
      for (let at = 0; at < sent.length; at += 6_000) near.write(sent.slice(at, at + 6_000));
      const atFar = await second;
      const firstBytes = concatBytes(first);
      await atFar.until(() => firstBytes.length + atFar.receivedBytes >= sent.length);
      expect(first).toHaveLength(1);
      expect(Buffer.compare(concatBytes([firstBytes, atFar.bytes()]), sent)).toBe(0);
      near.close();
      await atFar.until(() => atFar.closings.length > 0);
    });

    test('says when its backlog is high and when it is small again', async () => {
      const { near, far } = await open();
      const atNear = new SocketWitness(near);
      let sentBytes = 0;
      let room = true;
      while (room && sentBytes < 64 * MIB) {
        room = near.write(new Uint8Array(256 * KIB));
        sentBytes += 256 * KIB;
      }
      expect(room).toBe(false);
      const atFar = new SocketWitness(far);
      await atNear.until(() => atNear.drains > 0);
      await atFar.until(() => atFar.receivedBytes === sentBytes);
    });

    test('gives nothing while paused and everything after resume', async () => {
      const { near, far } = await open();
      const [atNear, atFar] = [new SocketWitness(near), new SocketWitness(far)];
      far.pause();
      near.write(new Uint8Array(100_000));
      far.write(Uint8Array.of(9)); // an answer the other way shows that time has passed and the channel works
      await atNear.until(() => atNear.receivedBytes === 1);
      expect(atFar.receivedBytes).toBe(0);
      far.resume();
      await atFar.until(() => atFar.receivedBytes === 100_000);
    });

    test('releases every buffer exactly once, sent or dropped', async () => {
      const { near, far } = await open();
      const [atNear, atFar] = [new SocketWitness(near), new SocketWitness(far)];
      const releases = new Map<number, number>();
      const write = (id: number): boolean =>
        near.write(new Uint8Array(300 * KIB), () => releases.set(id, (releases.get(id) ?? 0) + 1));
      write(0);
      await atFar.until(() => atFar.receivedBytes === 300 * KIB);
      for (let id = 1; id <= 30; id++) write(id);
      near.close();
      await atNear.until(() => atNear.closings.length > 0);
      write(31);
      expect(releases.size).toBe(32);
      expect(new Set(releases.values())).toEqual(new Set([1]));
    });

    test('reports the end exactly once and last, on both sides, however often it is closed', async () => {
      const { near, far } = await open();
      const [atNear, atFar] = [new SocketWitness(near), new SocketWitness(far)];
      near.write(new Uint8Array(10_000));
      await atFar.until(() => atFar.receivedBytes === 10_000);
      near.close();
      near.close();
      await atNear.until(() => atNear.closings.length > 0);
      await atFar.until(() => atFar.closings.length > 0);
      far.close();
      expect(near.write(Uint8Array.of(1))).toBe(false);
      await new Promise((resolve) => setImmediate(resolve));
      expect(atNear.closings).toEqual([undefined]);
      expect(atFar.closings).toHaveLength(1);
      expect([...atNear.late, ...atFar.late]).toEqual([]);
    });

    test('tells a late listener that it is closed', async () => {
      const { near, far } = await open();
      const atFar = new SocketWitness(far);
      near.close();
      await atFar.until(() => atFar.closings.length > 0);
      const atNear = new SocketWitness(near);
      await atNear.until(() => atNear.closings.length > 0);
      expect(atNear.closings).toHaveLength(1);
    });

    test('may be closed from within its own callback', async () => {
      const { near, far } = await open();
      const atFar = new SocketWitness(far);
      const closed = new Promise<number>((resolve) => {
        let deliveries = 0;
        near.listen({
          received: () => {
            deliveries++;
            near.close();
          },
          drained: () => undefined,
          closed: () => resolve(deliveries),
        });
      });
      for (let message = 0; message < 50; message++) far.write(new Uint8Array(1_000));
      expect(await closed).toBe(1);
      await atFar.until(() => atFar.closings.length > 0);
    });
  });
}
