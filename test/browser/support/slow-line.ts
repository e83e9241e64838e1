/**
 * A slow line between people and their server: a TCP relay whose downstream can be limited at any moment, all
 * connections together. Upstream and latency are left alone, and so is whatever browsers say to each other.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface SlowLine extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` of this end. */
  readonly origin: string;
  /** Where the line leads to. */
  target: { readonly host: string; readonly port: number } | undefined;
  /** Downstream limit; Infinity lifts it. */
  bytesPerSecond: number;
}

const PART_BYTES = 4_096;

export async function openSlowLine(): Promise<SlowLine> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    if (line.target === undefined) return void near.destroy();
    const far = connect(line.target);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    near.on('close', () => far.destroy());
    near.pipe(far);
    relay(far, near).catch(() => near.destroy());
  });
  /** When the line is free for the next byte. */
  let freeAtMs = 0;
  async function relay(from: Socket, to: Socket): Promise<void> {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; at += PART_BYTES) {
        const part = chunk.subarray(at, at + PART_BYTES);
        freeAtMs = Math.max(freeAtMs, performance.now()) + (part.length * 1_000) / line.bytesPerSecond;
        const waitMs = freeAtMs - performance.now();
        if (waitMs > 1) await delay(waitMs);
        if (!to.write(part)) await once(to, 'drain');
      }
    }
    to.end();
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const line: SlowLine = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target: undefined,
    bytesPerSecond: Number.POSITIVE_INFINITY,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return line;
}
