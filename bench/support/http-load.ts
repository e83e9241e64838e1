/**
 * An HTTP client that costs almost nothing: raw sockets, one reused buffer each, bodies counted and thrown away. A real
 * client would be the slowest part of a bench of delivery.
 */
import net from 'node:net';
import { MIB } from '../../src/base/units.ts';

export interface Load {
  readonly port: number;
  readonly connections: number;
  /** The next request as text, keep-alive; undefined ends the connection. */
  readonly next: () => string | undefined;
}

/** Sends requests one after the other on each connection; resolves with all body bytes when every connection has ended. */
export async function runLoad(load: Load): Promise<number> {
  const bodies = await Promise.all(Array.from({ length: load.connections }, () => runConnection(load)));
  return bodies.reduce((sum, bytes) => sum + bytes, 0);
}

async function runConnection({ port, next }: Load): Promise<number> {
  const answers = new AnswerReader();
  await new Promise<void>((resolve, reject) => {
    const socket = net.connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafeSlow(MIB),
        callback: (count, buffer) => {
          answers.take((buffer as Buffer).subarray(0, count), send);
          return true;
        },
      },
    });
    const send = (): void => {
      const request = next();
      if (request === undefined) socket.end();
      else socket.write(request);
    };
    socket.once('connect', send);
    socket.once('error', reject);
    socket.once('close', () => resolve());
  });
  return answers.bodyBytes;
}

/** Just enough of HTTP/1.1 to know where an answer ends. */
class AnswerReader {
  bodyBytes = 0;
  #head = '';
  #left = 0;

  take(bytes: Buffer, done: () => void): void {
    let at = 0;
    while (at < bytes.length) {
      at += this.#left > 0 ? this.#takeBody(bytes.length - at, done) : this.#takeHead(bytes.subarray(at));
    }
  }

  #takeBody(available: number, done: () => void): number {
    const taken = Math.min(this.#left, available);
    this.#left -= taken;
    this.bodyBytes += taken;
    if (this.#left === 0) done();
    return taken;
  }

  #takeHead(bytes: Buffer): number {
    const before = this.#head.length;
    this.#head += bytes.toString('latin1');
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return bytes.length;
    const head = this.#head.slice(0, end);
    const length = /content-length: (\d+)/i.exec(head)?.[1];
    if (!/^HTTP\/1\.1 20[06] /.test(head) || length === undefined) throw new Error(`not a whole answer: ${head}`);
    this.#left = Number(length);
    this.#head = '';
    return end + 4 - before;
  }
}
