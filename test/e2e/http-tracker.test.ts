/** The tracker behind its doors: peers find each other over HTTP and WebSocket, and the page sees how many there are. */
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import type { MediumInfo } from '../../src/base/api.ts';
import { fromHex, toLatin1 } from '../../src/base/bytes.ts';
import { decodeHttpAnswer, decodeHttpScrape, percentEncode } from '../../src/codec/tracker-http.ts';
import { parseSwarmKey } from '../../src/base/ids.ts';
import { eventually } from '../support/eventually.ts';
import { openServer, rawExchange, type HttpWorld } from './http-world.ts';

async function published(world: HttpWorld): Promise<MediumInfo & { torrent: NonNullable<MediumInfo['torrent']> }> {
  const form = new FormData();
  form.append('file', new Blob(['a film of some bytes']), 'film.mp4');
  const answer = await fetch(world.url('/api/v1/media'), { method: 'POST', body: form });
  const info = (await answer.json()) as MediumInfo;
  if (info.torrent === undefined) throw new Error('a published medium has a torrent');
  return { ...info, torrent: info.torrent };
}

const announceUrl = (world: HttpWorld, infoHash: string, port: number, left = 1): string => {
  const hash = percentEncode(fromHex(infoHash));
  return world.url(
    `/announce?info_hash=${hash}&peer_id=-XX0001-${port}abcdefgh&port=${port}&left=${left}&uploaded=0&downloaded=0&compact=1`,
  );
};

const bytesOf = async (url: string): Promise<Uint8Array> => new Uint8Array(await (await fetch(url)).arrayBuffer());

test('two clients that announce over HTTP are told of each other, and counted', async () => {
  const server = await openServer();
  const { sha256, torrent } = await published(server);
  await fetch(announceUrl(server, torrent.infoHash, 6881, 0));
  const answer = decodeHttpAnswer(await bytesOf(announceUrl(server, torrent.infoHash, 6882)));
  expect(answer).toMatchObject({ kind: 'answer', peers: [{ host: '127.0.0.1', port: 6881 }] });
  const scrape = server.url(`/scrape?info_hash=${percentEncode(fromHex(torrent.infoHash))}`);
  const counts = [parseSwarmKey(torrent.infoHash), expect.objectContaining({ seeders: 1, leechers: 1 })];
  expect(decodeHttpScrape(await bytesOf(scrape))).toEqual(new Map([counts] as [[string, unknown]]));
  const medium = (await (await fetch(server.url(`/api/v1/media/${sha256}`))).json()) as MediumInfo;
  expect(medium.swarm).toEqual({ seeders: 1, leechers: 1 });
});

test('a torrent this server does not know is refused in the words of trackers', async () => {
  const server = await openServer();
  const answer = await fetch(announceUrl(server, '0'.repeat(40), 6881));
  expect(answer.status).toBe(200);
  expect(await answer.text()).toMatch(/^d14:failure reason/);
  expect((await fetch(server.url('/announce'), { method: 'POST' })).status).toBe(405);
});

/** A browser's side of the socket; what arrives is kept. */
class Browser {
  readonly socket: WebSocket;
  readonly inbox: Record<string, unknown>[] = [];

  constructor(world: HttpWorld) {
    this.socket = new WebSocket(`ws://127.0.0.1:${world.port}/announce`);
    this.socket.on('message', (data: Buffer) =>
      this.inbox.push(JSON.parse(data.toString()) as Record<string, unknown>),
    );
    onTestFinished(() => this.socket.terminate());
  }

  /** The first message that has this field. */
  async got(field: string): Promise<Record<string, unknown>> {
    return await eventually(`a message with ${field}`, () => this.inbox.find((message) => field in message));
  }
}

async function connect(world: HttpWorld): Promise<Browser> {
  const browser = new Browser(world);
  await once(browser.socket, 'open');
  return browser;
}

test('two browsers on the WebSocket tracker get their offers and answers through', async () => {
  const server = await openServer();
  const { torrent } = await published(server);
  const [alice, bob] = [await connect(server), await connect(server)];
  const peers = { alice: '-WW0001-aaaaaaaaaaaa', bob: '-WW0001-bbbbbbbbbbbb' };
  const shared = { action: 'announce', info_hash: toLatin1(fromHex(torrent.infoHash)) };
  const offer_id = 'o'.repeat(20);
  const offer = { type: 'offer', sdp: 'v=0' };
  const answer = { type: 'answer', sdp: 'v=1' };
  alice.socket.send(JSON.stringify({ ...shared, peer_id: peers.alice, numwant: 0, left: 1, offers: [] }));
  expect(await alice.got('incomplete')).toMatchObject({ incomplete: 1 });
  bob.socket.send(
    JSON.stringify({ ...shared, peer_id: peers.bob, numwant: 1, left: 1, offers: [{ offer_id, offer }] }),
  );
  expect(await alice.got('offer')).toMatchObject({ peer_id: peers.bob, offer_id, offer });
  alice.socket.send(JSON.stringify({ ...shared, peer_id: peers.alice, to_peer_id: peers.bob, offer_id, answer }));
  expect(await bob.got('answer')).toMatchObject({ peer_id: peers.alice, offer_id, answer });
});

test('a message above 64 KiB ends the socket, not the server', async () => {
  const server = await openServer();
  const { socket } = await connect(server);
  socket.send('x'.repeat(70_000));
  const [code] = (await once(socket, 'close')) as [number];
  expect(code).toBe(1009);
  expect((await fetch(server.url('/api/v1/server'))).status).toBe(200);
});

test('nonsense is answered with a reason', async () => {
  const server = await openServer();
  const browser = await connect(server);
  browser.socket.send('{"action":');
  await browser.got('failure reason');
});

test('sockets are told when the server stops', async () => {
  const server = await openServer();
  const { socket } = await connect(server);
  const closed = once(socket, 'close') as Promise<[number]>;
  await server.close();
  expect((await closed)[0]).toBe(1001);
});

test.each(['/', '/api/v1/events', '/announce2', '/upload'])('there is no socket at %s', async (path) => {
  const server = await openServer();
  const upgrade = `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`;
  expect(await rawExchange(server.port, upgrade)).toMatch(/^HTTP\/1\.1 404 /);
});
