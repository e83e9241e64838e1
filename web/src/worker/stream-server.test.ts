import { afterEach, describe, expect, test } from 'vitest';
import { parseInfoHashV1, parseSha256 } from '../../../src/base/ids.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { HEARTBEAT_MS, type StreamReply, type StreamRequest } from '../swarm/stream-protocol.ts';
import { type FindReadable, StreamServer } from './stream-server.ts';

const infoHash = parseInfoHashV1('ab'.repeat(20));
const sha256 = parseSha256('cd'.repeat(32));

const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

/** A service worker's end that writes down what it hears. */
class Listener {
  readonly heard: string[] = [];
  readonly #port: MessagePort;
  readonly offered: MessagePort;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    this.#port = port1;
    this.offered = port2;
    port1.addEventListener('message', ({ data }: MessageEvent<StreamReply>) =>
      this.heard.push(data.kind === 'bytes' ? `bytes ${data.bytes.byteLength}` : data.kind),
    );
    port1.start();
  }

  say(request: StreamRequest): void {
    this.#port.postMessage(request);
  }

  async hears(count: number): Promise<readonly string[]> {
    await expect.poll(() => this.heard.length).toBeGreaterThanOrEqual(count);
    return this.heard;
  }
}

interface Source {
  readonly find: FindReadable;
  readonly log: string[];
  give: ((bytes: Uint8Array<ArrayBuffer>) => void) | undefined;
}

/** A torrent whose pieces come when the test says so. */
function sourceOf(): Source {
  const source: Source = {
    log: [],
    give: undefined,
    find: () =>
      Promise.resolve({
        sizeBytes: 1_000,
        type: 'video/mp4',
        read: ({ start, endExclusive }) => {
          source.log.push(`read ${start}-${endExclusive}`);
          return new ReadableStream(
            {
              pull: (controller) =>
                new Promise((resolve) => {
                  source.give = (bytes) => {
                    controller.enqueue(bytes);
                    resolve();
                  };
                }),
              cancel: () => void source.log.push('cancelled'),
            },
            { highWaterMark: 0 },
          );
        },
      }),
  };
  return source;
}

function open(find: FindReadable): { listener: Listener; server: StreamServer; clock: FakeClock } {
  const clock = new FakeClock();
  const server = new StreamServer(find, clock);
  const listener = new Listener();
  server.accept({ kind: 'stream-offer', infoHash, sha256, port: listener.offered });
  return { listener, server, clock };
}

describe('a stream of the swarm worker', () => {
  test('gives one chunk a pull and says that it waits while a piece is missing', async () => {
    const source = sourceOf();
    const { listener, clock } = open(source.find);
    expect(await listener.hears(1)).toEqual(['opened']);
    listener.say({ kind: 'read', start: 10, endExclusive: 20 });
    listener.say({ kind: 'pull' });
    await expect.poll(() => source.give).toBeDefined();
    clock.advance(2 * HEARTBEAT_MS);
    source.give?.(new Uint8Array(4));
    expect(await listener.hears(4)).toEqual(['opened', 'waiting', 'waiting', 'bytes 4']);
    expect([source.log, clock.pending]).toEqual([['read 10-20'], 0]);
  });

  test('takes a cancel to the scheduler even while a piece is awaited', async () => {
    const source = sourceOf();
    const { listener, server, clock } = open(source.find);
    listener.say({ kind: 'read', start: 0, endExclusive: 1_000 });
    listener.say({ kind: 'pull' });
    await expect.poll(() => source.give).toBeDefined();
    listener.say({ kind: 'cancel' });
    await expect.poll(() => source.log.at(-1)).toBe('cancelled');
    expect([server.size, clock.pending]).toEqual([0, 0]);
  });

  test.each<[string, FindReadable, string]>([
    ['is not here', () => Promise.resolve(undefined), 'unknown'],
    ['failed', () => Promise.reject(new Error('no space')), 'failed'],
  ])('of a torrent that %s ends with a word, so that the server can take over', async (_, find, word) => {
    const { listener, server } = open(find);
    expect(await listener.hears(1)).toEqual([word]);
    expect(server.size).toBe(0);
  });

  test('that breaks the order of words is ended', async () => {
    const { listener } = open(sourceOf().find);
    listener.say({ kind: 'pull' });
    expect(await listener.hears(2)).toEqual(['opened', 'failed']);
  });

  test('is refused when a browser opens more than it ever needs', async () => {
    const { server } = open(sourceOf().find);
    for (let opened = server.size; opened < 64; opened++)
      server.accept({ kind: 'stream-offer', infoHash, sha256, port: new Listener().offered });
    const late = new Listener();
    server.accept({ kind: 'stream-offer', infoHash, sha256, port: late.offered });
    expect(await late.hears(1)).toEqual(['unknown']);
    server.closeAll();
    expect(server.size).toBe(0);
  });
});
