/**
 * The service worker's end of one stream. A link is alive as long as the swarm worker says something at least every
 * `SILENCE_MS` while it is asked; otherwise it is lost, and whoever reads takes the bytes from elsewhere.
 */
import type { Clock } from '../../../src/base/clock.ts';
import { Unavailable } from '../../../src/base/errors.ts';
import type { ByteRange } from '../../../src/base/range.ts';
import { SILENCE_MS, type StreamReply, type StreamRequest } from '../swarm/stream-protocol.ts';

export interface OpenLink {
  readonly sizeBytes: number;
  /** MIME type as the server's API named it. */
  readonly type: string;
  /** Once per link. Ends after the last byte; throws Unavailable when the link is lost. */
  read(range: ByteRange): AsyncGenerator<Uint8Array<ArrayBuffer>, void>;
  /** At once; idempotent. */
  cancel(): void;
}

/**
 * The first of `ports` that has the torrent; the others are let go. Undefined as soon as all have said no, or when none
 * has said yes in SILENCE_MS.
 */
export async function openLink(ports: readonly MessagePort[], clock: Clock): Promise<OpenLink | undefined> {
  const links = ports.map((port) => new Link(port, clock));
  const opened = await Promise.any(links.map(opening)).catch(() => undefined);
  for (const link of links) if (link !== opened?.link) link.close();
  return opened && new SwarmLink(opened.link, opened.sizeBytes, opened.type);
}

async function opening(link: Link): Promise<{ link: Link; sizeBytes: number; type: string }> {
  const reply = await link.nextWord();
  if (reply.kind !== 'opened') throw new Unavailable('this tab does not have the torrent');
  return { link, sizeBytes: reply.sizeBytes, type: reply.type };
}

class SwarmLink implements OpenLink {
  readonly sizeBytes: number;
  readonly type: string;
  readonly #link: Link;

  constructor(link: Link, sizeBytes: number, type: string) {
    this.#link = link;
    this.sizeBytes = sizeBytes;
    this.type = type;
  }

  async *read({ start, endExclusive }: ByteRange): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    this.#link.tell({ kind: 'read', start, endExclusive });
    try {
      for (let at = start; at < endExclusive;) {
        const bytes = await this.#pull(endExclusive - at);
        at += bytes.length;
        yield bytes;
      }
    } finally {
      this.cancel();
    }
  }

  cancel(): void {
    this.#link.tell({ kind: 'cancel' });
    this.#link.close();
  }

  async #pull(wantedBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    this.#link.tell({ kind: 'pull' });
    const reply = await this.#link.nextWord();
    if (reply.kind !== 'bytes') throw new Unavailable('the swarm cannot deliver');
    const { byteLength } = reply.bytes;
    if (byteLength === 0 || byteLength > wantedBytes) throw new Unavailable('the swarm worker broke its protocol');
    return new Uint8Array(reply.bytes);
  }
}

/** Messages of one port, one at a time, with a limit on silence. At most a few wait: the worker speaks when asked. */
class Link {
  readonly #port: MessagePort;
  readonly #clock: Clock;
  readonly #arrived: StreamReply[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;

  constructor(port: MessagePort, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
    port.addEventListener('message', ({ data }: MessageEvent<StreamReply>) => {
      this.#arrived.push(data);
      this.#wake?.();
    });
    port.start();
  }

  tell(request: StreamRequest): void {
    if (!this.#isClosed) this.#port.postMessage(request);
  }

  close(): void {
    this.#isClosed = true;
    this.#port.close();
    this.#wake?.();
  }

  /** The next message that says something. @throws Unavailable after SILENCE_MS without any, or once closed */
  async nextWord(): Promise<StreamReply> {
    for (;;) {
      const reply = this.#arrived.shift() ?? (await this.#await());
      if (reply === undefined) throw new Unavailable('the swarm worker is silent');
      if (reply.kind !== 'waiting') return reply;
    }
  }

  #await(): Promise<StreamReply | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        this.#wake = undefined;
        resolve(this.#arrived.shift());
      };
      const cancel = this.#clock.after(SILENCE_MS, wake);
      this.#wake = wake;
    });
  }
}
