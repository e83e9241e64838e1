/**
 * Peers that come for a torrent at rest, each by another way, and what they wait for: the first byte of the handshake's
 * answer and the last byte of the first block. The clock starts with the peer's first packet: the announce, or the
 * connection. Every peer has an address of its own on loopback, as strangers have.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { NodeMseCrypto } from '../../src/adapters/node-crypto/mse-crypto.ts';
import { swarmKeyOf } from '../../src/base/ids.ts';
import type { PeerAddress } from '../../src/base/address.ts';
import { encodeHandshake } from '../../src/codec/handshake.ts';
import { MseInitiator } from '../../src/codec/mse-handshake.ts';
import { createPeerId } from '../../src/codec/peer-id.ts';
import { decodeHttpAnswer, formatHttpAnnounce } from '../../src/codec/tracker-http.ts';
import { decodeUdpAnnounceAnswer, decodeUdpConnectAnswer, encodeUdpRequest } from '../../src/codec/tracker-udp.ts';
import { encodeWsClientMessage, latinIdOf } from '../../src/codec/tracker-ws.ts';
import { BLOCK_BYTES, WireReader } from '../../src/codec/wire.ts';
import { encodeBlockRefs, encodeSignal } from '../../src/codec/wire-encode.ts';
import type { SeededBlob } from './blob.ts';

const PATIENCE_MS = 30_000;
const LISTENING_PORT = 6881;
const mseCrypto = new NodeMseCrypto();
const FIRST_BLOCK = { piece: 0, offsetBytes: 0, lengthBytes: BLOCK_BYTES };
const HOST = '127.0.0.1';

/** Where a server's doors are, all on 127.0.0.1. */
export interface Doors {
  readonly http: number;
  readonly udp: number;
  readonly peers: number;
}

/** Milliseconds from the peer's first packet. */
export interface Waited {
  readonly handshakeMs: number;
  readonly blockMs: number;
}

export type Way = 'handshake' | 'mse' | 'http' | 'udp' | 'ws';

interface Visit {
  readonly localAddress: string;
  readonly startedAtMs: number;
  readonly isEncrypted: boolean;
}

/** Comes as the peer number `index`, takes the first block and leaves. @throws Error when no answer comes in 30 s */
export async function wakeBy(way: Way, doors: Doors, blob: SeededBlob, index: number): Promise<Waited> {
  const localAddress = addressOf(index);
  const startedAtMs = performance.now();
  const announce = ANNOUNCE[way];
  const seeder = announce === undefined ? { host: HOST, port: doors.peers } : await announce(doors, blob, localAddress);
  return firstBlock(seeder, blob, { localAddress, startedAtMs, isEncrypted: way === 'mse' });
}

/** 127.1.0.1 and on: as many strangers as one likes. */
function addressOf(index: number): string {
  return `127.${1 + Math.floor(index / 62_500)}.${Math.floor(index / 250) % 250}.${1 + (index % 250)}`;
}

async function firstBlock(
  seeder: PeerAddress,
  blob: SeededBlob,
  { localAddress, startedAtMs, isEncrypted }: Visit,
): Promise<Waited> {
  const socket = connect({ ...seeder, localAddress, noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<Waited>();
  let handshakeMs: number | undefined;
  const elapsedMs = (): number => performance.now() - startedAtMs;
  const reader = new WireReader({
    handshake: () => socket.write(encodeSignal('interested')),
    message: (message) => {
      if (message.type === 'unchoke') socket.write(encodeBlockRefs('request', [FIRST_BLOCK]));
    },
    request: () => undefined,
    blockStart: () => undefined,
    blockBytes: (_, isLast) => {
      if (isLast && handshakeMs !== undefined) resolve({ handshakeMs, blockMs: elapsedMs() });
    },
  });
  const read = (bytes: Uint8Array): void => {
    handshakeMs ??= elapsedMs();
    reader.feed(bytes);
  };
  const { open, feed } = isEncrypted ? encrypted(socket, blob, read) : plain(socket, blob, read);
  socket.on('connect', open);
  socket.on('data', feed);
  socket.on('error', reject);
  socket.on('close', () => reject(new Error(`closed after ${Math.round(elapsedMs())} ms`)));
  socket.setTimeout(PATIENCE_MS, () => reject(new Error(`no answer in ${PATIENCE_MS} ms`)));
  return promise.finally(() => socket.destroy());
}

/** How a stream begins: what to do when it is connected, and where its bytes go. */
interface Opening {
  readonly open: () => void;
  readonly feed: (bytes: Uint8Array) => void;
}

function plain(socket: Socket, blob: SeededBlob, read: (bytes: Uint8Array) => void): Opening {
  return { open: () => socket.write(handshakeOf(blob)), feed: read };
}

/** MSE, plain behind the handshake, as libtorrent chooses it. */
function encrypted(socket: Socket, blob: SeededBlob, read: (bytes: Uint8Array) => void): Opening {
  const swarmKey = swarmKeyOf(blob.infoHash);
  let isOpen = false;
  const initiator = new MseInitiator(
    { crypto: mseCrypto, swarmKey, offers: ['plain'], initialPayload: handshakeOf(blob) },
    {
      send: (bytes) => socket.write(bytes),
      opened: ({ early }) => {
        isOpen = true;
        if (early.length > 0) read(early);
      },
    },
  );
  return {
    open: () => initiator.start(),
    feed: (bytes) => {
      if (isOpen) read(bytes);
      else initiator.feed(bytes);
    },
  };
}

function handshakeOf({ infoHash }: SeededBlob): Uint8Array {
  const peerId = createPeerId();
  return encodeHandshake({
    swarmKey: swarmKeyOf(infoHash),
    peerId,
    extensions: true,
    fast: true,
    dht: false,
    v2: false,
  });
}

/** Announces and resolves with where the tracker says the seeder is. */
type AnnounceBy = (doors: Doors, blob: SeededBlob, localAddress: string) => Promise<PeerAddress>;

function announceOf({ infoHash, sizeBytes }: SeededBlob) {
  return {
    swarmKey: swarmKeyOf(infoHash),
    peerId: createPeerId(),
    port: LISTENING_PORT,
    uploadedBytes: 0,
    downloadedBytes: 0,
    leftBytes: sizeBytes,
    event: 'started' as const,
    numWant: 10,
  };
}

const announceHttp: AnnounceBy = async ({ http }, blob, localAddress) => {
  const url = new URL(
    formatHttpAnnounce(`http://${HOST}:${http}/announce`, { ...announceOf(blob), compact: true, noPeerId: true }),
  );
  const socket = connect({ port: http, host: HOST, localAddress, noDelay: true });
  socket.write(`GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: close\r\n\r\n`);
  const answer = await readAll(socket);
  const bodyAt = answer.indexOf('\r\n\r\n') + 4;
  return seederIn(decodeHttpAnswer(answer.subarray(bodyAt)));
};

const announceUdp: AnnounceBy = async ({ udp }, blob, localAddress) => {
  const socket = createSocket('udp4');
  try {
    socket.bind(0, localAddress);
    await once(socket, 'listening');
    const ask = async (packet: Uint8Array): Promise<Buffer> => {
      const answered = once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) });
      socket.send(packet, udp, HOST);
      const [bytes] = (await answered) as [Buffer];
      return bytes;
    };
    const connected = decodeUdpConnectAnswer(await ask(encodeUdpRequest({ type: 'connect', transactionId: 1 })));
    if (connected.kind === 'failure') throw new Error(connected.reason);
    const { connectionId } = connected;
    const announce = {
      ...announceOf(blob),
      type: 'announce',
      transactionId: 2,
      connectionId,
      key: 0,
      urlData: '',
    } as const;
    return seederIn(decodeUdpAnnounceAnswer(await ask(encodeUdpRequest(announce)), 'v4'));
  } finally {
    socket.close();
  }
};

/** A WebSocket answer names no address; whoever announced there dials the one it has from the magnet. */
const announceWs: AnnounceBy = async ({ http, peers }, blob, localAddress) => {
  const socket = new WebSocket(`ws://${HOST}:${http}/announce`, { localAddress });
  try {
    await once(socket, 'open');
    const peerId = latinIdOf(createPeerId());
    socket.send(encodeWsClientMessage({ ...announceOf(blob), type: 'announce', peerId, offers: [], trickle: false }));
    await once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) });
    return { host: HOST, port: peers };
  } finally {
    socket.terminate();
  }
};

/** The ways that begin at the tracker. */
const ANNOUNCE: Readonly<Partial<Record<Way, AnnounceBy>>> = {
  http: announceHttp,
  udp: announceUdp,
  ws: announceWs,
};

async function readAll(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function seederIn(answer: ReturnType<typeof decodeHttpAnswer>): PeerAddress {
  if (answer.kind === 'failure') throw new Error(answer.reason);
  const [seeder] = answer.peers;
  if (seeder === undefined) throw new Error('the tracker named nobody');
  return seeder;
}
