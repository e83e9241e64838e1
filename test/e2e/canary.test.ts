/**
 * Magnets and .torrents of strangers make us contact nobody on this machine or in its networks: a canary listens for
 * peers, HTTP, WebSocket, TLS and UDP alike. Each case runs a second time with private addresses allowed, and is heard.
 */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fetchTorrent } from '../../src/app/swarm/fetch-torrent.ts';
import { Cancelled } from '../../src/base/errors.ts';
import { encodeBencode } from '../../src/codec/bencode.ts';
import { writeMetainfo } from '../../src/codec/metainfo.ts';
import { eventually } from '../support/eventually.ts';
import { testFolder } from '../support/temp-dir.ts';
import hostile from '../vectors/hostile-magnets.json' with { type: 'json' };

const MAGNET = 'magnet:?xt=urn:btih:c12fe1c06bba254a9dc9f519b335aa7c1367a88a';

interface Canary {
  readonly port: number;
  /** What came, by kind. */
  readonly heard: readonly string[];
}

/** One port, TCP and UDP, all loopback addresses of both families. */
async function canary(): Promise<Canary> {
  const heard: string[] = [];
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (bytes) => {
      heard.push(kindOf(bytes.toString('latin1')));
      socket.destroy();
    });
  });
  server.listen(0, '::');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const udp = dgram.createSocket('udp6').on('message', () => heard.push('udp'));
  udp.bind(port, '::');
  await once(udp, 'listening');
  onTestFinished(() => {
    server.close();
    udp.close();
  });
  return { port, heard };
}

function kindOf(start: string): string {
  if (start.startsWith('\u0016\u0003')) return 'tls';
  if (/^GET .*upgrade: websocket/is.test(start)) return 'websocket';
  if (start.startsWith('GET /announce')) return 'http announce';
  if (start.startsWith('GET /meta')) return 'http meta';
  if (start.startsWith('GET /seed')) return 'web seed';
  return 'peer';
}

/** Runs `get` until `enough`, and until it has dialled a peer that was typed: after whatever the source names. */
async function get(
  source: string,
  {
    allowPrivate,
    enough,
  }: { readonly allowPrivate: boolean; readonly enough: (leftOut: readonly string[]) => boolean },
): Promise<void> {
  const typed = await canary();
  const leftOut: string[] = [];
  const caller = new AbortController();
  const fetching = await fetchTorrent({
    source,
    target: path.join(await testFolder('canary'), 'file'),
    peers: [`127.0.0.1:${typed.port}`],
    port: 0,
    useWebSeeds: true,
    allowPrivate,
    leftOut: (host) => leftOut.push(host),
    signal: caller.signal,
  });
  const ended = fetching.done.catch((error: unknown) => error);
  await eventually('the source has been looked at', () => enough(leftOut) && typed.heard.length > 0);
  caller.abort();
  await fetching[Symbol.asyncDispose]();
  expect(await ended).toBeInstanceOf(Error);
}

describe('a magnet of a stranger', () => {
  test.each(hostile.parameters)('with $parameter contacts nobody', async ({ parameter, contact }) => {
    const { port, heard } = await canary();
    const source = `${MAGNET}&${parameter.replace('{port}', String(port))}`;
    await get(source, { allowPrivate: false, enough: (leftOut) => leftOut.length > 0 });
    expect(heard).toEqual([]);
    await get(source, { allowPrivate: true, enough: () => heard.includes(contact) });
  });
});

describe('a .torrent of a stranger', () => {
  test.each([
    ['announce', 'http announce'],
    ['url-list', 'web seed'],
  ])('with %s on this machine contacts nobody', async (key, contact) => {
    const { port, heard } = await canary();
    const file = path.join(await testFolder('canary'), 'hostile.torrent');
    const rawInfo = encodeBencode({ length: 1, name: 'x', 'piece length': 16_384, pieces: new Uint8Array(20) });
    const urls = { announce: `http://127.0.0.1:${port}/announce`, 'url-list': `http://localhost:${port}/seed` };
    const metainfo = key === 'announce' ? { trackers: [[urls.announce]] } : { webSeeds: [urls['url-list']] };
    await writeFile(file, writeMetainfo({ rawInfo, ...metainfo }));
    await get(file, { allowPrivate: false, enough: (leftOut) => leftOut.length > 0 });
    expect(heard).toEqual([]);
    await get(file, { allowPrivate: true, enough: () => heard.includes(contact) });
  });
});

test('an address of this machine that a person typed is contacted', async () => {
  const { port, heard } = await canary();
  const caller = new AbortController();
  const options = {
    target: undefined,
    peers: [],
    port: 0,
    useWebSeeds: true,
    allowPrivate: false,
    signal: caller.signal,
  };
  await expect(fetchTorrent({ ...options, source: `http://127.0.0.1:${port}/meta.torrent` })).rejects.toThrow(
    /127\.0\.0\.1/,
  );
  expect(heard).toEqual(['http meta']);
  const fetching = await fetchTorrent({ ...options, source: MAGNET, peers: [`127.0.0.1:${port}`] });
  const ended = fetching.done.catch((error: unknown) => error);
  await eventually('the peer is dialled', () => heard.includes('peer'));
  caller.abort();
  await fetching[Symbol.asyncDispose]();
  expect(await ended).toBeInstanceOf(Cancelled);
});
