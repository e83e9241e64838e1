/** What the HTTP tests share: a listener on a free port, a raw client that sends exactly what it is told, blobs to serve. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { crc32 } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { parseSha256, type Sha256 } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { HttpLimits } from '../../src/http/limits.ts';
import type { Medium, StoredMedia } from '../../src/http/ports.ts';
import { createHttp } from '../../src/http/server.ts';
import type { BlobReader } from '../../src/store/blobs.ts';
import { freePort } from '../support/free-port.ts';

export interface HttpWorld {
  readonly port: number;
  readonly origin: string;
  url(path: string): string;
}

export interface WorldOptions {
  readonly media: StoredMedia;
  readonly mediaUrl?: (port: number) => string;
  readonly limits?: Partial<HttpLimits>;
}

/** A listener that is closed when the running test has finished. */
export async function openDelivery(options: WorldOptions): Promise<HttpWorld> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const settings = {
    host: '127.0.0.1',
    port,
    publicUrl: origin,
    mediaUrl: options.mediaUrl?.(port) ?? origin,
    limits: { graceMs: 0, ...options.limits },
  };
  const server = createHttp({ media: options.media, clock: systemClock, log: silentLog, settings });
  await server.listen();
  onTestFinished(() => server.close());
  return { port, origin, url: (path) => origin + path };
}

export interface Fixture {
  readonly bytes: Uint8Array;
  readonly name?: string;
  readonly type?: string;
}

/** Blobs that are already stored, read from memory; counts readers, so that a test sees whether each was given back. */
export class BlobsInMemory implements StoredMedia {
  readonly #media = new Map<Sha256, { readonly medium: Medium; bytes: Uint8Array }>();
  openReaders = 0;

  add({ bytes, name = 'a name', type = 'video/mp4' }: Fixture): Sha256 {
    const sha256 = parseSha256(createHash('sha256').update(bytes).digest('hex'));
    const medium = {
      sha256,
      sizeBytes: bytes.length,
      crc32: crc32(bytes),
      type,
      name,
      createdAtMs: Date.UTC(2026, 10, 20, 8),
    };
    this.#media.set(sha256, { medium, bytes });
    return sha256;
  }

  /** The file on disk loses its tail behind our back. */
  shrink(sha256: Sha256, sizeBytes: number): void {
    const blob = this.#media.get(sha256);
    if (blob !== undefined) blob.bytes = blob.bytes.subarray(0, sizeBytes);
  }

  find(sha256: Sha256): Medium | undefined {
    return this.#media.get(sha256)?.medium;
  }

  async openBlob(sha256: Sha256): Promise<BlobReader | undefined> {
    const blob = this.#media.get(sha256);
    if (blob === undefined) return undefined;
    this.openReaders++;
    let isOpen = true;
    const close = async (): Promise<void> => {
      if (isOpen) this.openReaders--;
      isOpen = false;
    };
    return {
      sizeBytes: blob.bytes.length,
      fingerprint: sha256,
      read: async (views, position) => copyInto(views, blob.bytes.subarray(position)),
      close,
      [Symbol.asyncDispose]: close,
    };
  }
}

function copyInto(views: readonly Uint8Array[], bytes: Uint8Array): number {
  let copied = 0;
  for (const view of views) {
    const part = bytes.subarray(copied, copied + view.length);
    view.set(part);
    copied += part.length;
  }
  return copied;
}

/** Sends the text as it is and resolves with everything that comes until the server closes. */
export async function rawExchange(port: number, request: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => undefined); // a reset ends the exchange like any other end
  socket.write(request);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}
