/**
 * Magnets and .torrents of strangers make us contact nobody on this machine or in its networks: a canary listens for
 * peers, HTTP, WebSocket, TLS and UDP alike. Each case runs a second time with private addresses allowed, and is heard.
 * So it is with what visitors of a server say in their WebRTC offers.
 */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { RtcOfferer } from '../../src/adapters/webrtc/offerer.ts';
import { fetchTorrent } from '../../src/app/swarm/fetch-torrent.ts';
import type { MediumInfo } from '../../src/base/api.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Cancelled } from '../../src/base/errors.ts';
import { parseSwarmKey } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { encodeBencode } from '../../src/codec/bencode.ts';
import { writeMetainfo } from '../../src/codec/metainfo.ts';
import { encodeWsClientMessage, latinIdOf } from '../../src/codec/tracker-ws.ts';
import { eventually } from '../support/eventually.ts';
import { startServer } from '../support/server.ts';
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

describe('a WebRTC offer of a visitor', () => {
  /** An offer whose candidates are `named` and no others. */
  async function offerNaming(named: readonly string[]): Promise<string> {
    const offerer = new RtcOfferer({ iceServers: [], clock: systemClock, log: silentLog });
    onTestFinished(() => offerer.stop());
    const { sdp } = await offerer.offer(new AbortController().signal, () => false);
    const lines = sdp.split('\r\n').filter((line) => !/^a=(?:candidate:|end-of-candidates)/.test(line));
    const candidates = named.map((address, at) => `a=candidate:${at + 1} 1 UDP 2122317823 ${address} typ host\r\n`);
    return lines.join('\r\n') + candidates.join('');
  }

  async function visit(origin: string, sdp: string): Promise<void> {
    const form = new FormData();
    form.set('file', new File([Uint8Array.of(1, 2, 3)], 'a.bin'));
    const stored = await fetch(`${origin}/api/v1/media`, { method: 'POST', body: form });
    const { torrent } = (await stored.json()) as MediumInfo;
    const socket = new WebSocket(`${origin.replace('http', 'ws')}/announce`);
    onTestFinished(() => socket.close());
    await once(socket, 'open');
    const swarmKey = parseSwarmKey(torrent?.infoHash ?? '');
    const [peerId, offerId] = [latinIdOf(new Uint8Array(20).fill(1)), latinIdOf(new Uint8Array(20).fill(2))];
    const counts = { uploadedBytes: 0, downloadedBytes: 0, leftBytes: 1 };
    const offers = [{ offerId, sdp }];
    const said = { type: 'announce', swarmKey, peerId, event: 'started', ...counts, offers, trickle: false } as const;
    socket.send(encodeWsClientMessage(said));
  }

  test.each([
    ['its own address and no other', {}, false],
    ['others of this machine where the operator lets it', { SEEDBED_ALLOW_PRIVATE_PEERS: 'true' }, true],
  ])('leads the server to %s', { timeout: 60_000 }, async (_whom, settings, others) => {
    const dataFolder = await testFolder('canary');
    await using server = await startServer({ dataFolder, settings: { SEEDBED_UPLOADS: 'anyone', ...settings } });
    const [own, other] = [await canary(), await canary()];
    await visit(server.origin, await offerNaming([`127.0.0.2 ${other.port}`, `127.0.0.1 ${own.port}`]));
    await eventually(
      'the visitor is called, twice',
      () => own.heard.length >= 2 && (!others || other.heard.length > 0),
    );
    expect(other.heard.length > 0).toBe(others);
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
