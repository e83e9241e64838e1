/**
 * Announces by the thousand over each protocol, from 32 loopback addresses into 2,000 swarms. Every sender keeps a window
 * of requests in flight and counts answers; requests are made before the clock starts, so that the generator costs little.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { parseSwarmKey, type SwarmKey } from '../../src/base/ids.ts';
import { createPeerId } from '../../src/codec/peer-id.ts';
import { formatHttpAnnounce } from '../../src/codec/tracker-http.ts';
import { decodeUdpConnectAnswer, encodeUdpRequest } from '../../src/codec/tracker-udp.ts';
import { encodeWsClientMessage, latinIdOf } from '../../src/codec/tracker-ws.ts';

const SENDERS = 32;
const SWARMS = 2_000;
const PREPARED = 256;
const WINDOW = { udp: 16, http: 1, ws: 8 };
/** No answer for so long ends a run with an error; a lost UDP packet is asked again before that. */
const STALL_MS = 10_000;
const RESEND_MS = 500;

export interface TrackerPorts {
  readonly host: string;
  readonly http: number;
  readonly udp: number;
}

/** One connection: sends one prepared request at a time, tells of each answer. */
interface Sender {
  send(index: number): void;
  close(): void;
}

type OpenSender = (ports: TrackerPorts, sender: number, answered: () => void) => Promise<Sender>;

function announceOf(sender: number, index: number) {
  return {
    swarmKey: swarmKeyOf(sender * 7 + index * 13),
    peerId: createPeerId(),
    port: 10_000 + sender,
    uploadedBytes: 0,
    downloadedBytes: 0,
    leftBytes: index % 3,
    event: 'update' as const,
    numWant: 10,
  };
}

function swarmKeyOf(number: number): SwarmKey {
  return parseSwarmKey((number % SWARMS).toString(16).padStart(40, 'a'));
}

const sourceOf = (sender: number): string => `127.0.0.${sender + 2}`;

const openUdp: OpenSender = async (ports, sender, answered) => {
  const socket = createSocket('udp4');
  socket.bind(0, sourceOf(sender));
  await once(socket, 'listening');
  socket.connect(ports.udp, ports.host);
  await once(socket, 'connect');
  socket.send(encodeUdpRequest({ type: 'connect', transactionId: 1 }));
  const [bytes] = (await once(socket, 'message')) as [Buffer];
  const answer = decodeUdpConnectAnswer(bytes);
  if (answer.kind === 'failure') throw new Error(answer.reason);
  const { connectionId } = answer;
  const packets = Array.from({ length: PREPARED }, (_, index) =>
    encodeUdpRequest({
      type: 'announce',
      transactionId: index,
      connectionId,
      key: 0,
      urlData: '',
      ...announceOf(sender, index),
    }),
  );
  socket.on('message', answered);
  return { send: (index) => socket.send(packets[index % PREPARED] ?? connectionId), close: () => socket.close() };
};

const openHttp: OpenSender = async (ports, sender, answered) => {
  const socket = connect({ port: ports.http, host: ports.host, localAddress: sourceOf(sender), noDelay: true });
  await once(socket, 'connect');
  const requests = Array.from({ length: PREPARED }, (_, index) => {
    const announce = { ...announceOf(sender, index), compact: true, noPeerId: true };
    const { pathname, search } = new URL(formatHttpAnnounce(`http://${ports.host}/announce`, announce));
    return `GET ${pathname}${search} HTTP/1.1\r\nHost: ${ports.host}\r\n\r\n`;
  });
  let received = utf8('');
  socket.on('data', (chunk) => {
    received = concatBytes([received, chunk]);
    // Both servers end their dictionary with the connection's last byte so far; one request is in flight at a time.
    if (!isWholeAnswer(received)) return;
    received = utf8('');
    answered();
  });
  return { send: (index) => socket.write(requests[index % PREPARED] ?? ''), close: () => socket.destroy() };
};

function isWholeAnswer(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString('latin1');
  const body = text.indexOf('\r\n\r\n') + 4;
  const length = /content-length: (\d+)/i.exec(text.slice(0, body))?.[1];
  if (body < 4) return false;
  return length === undefined ? text.endsWith('\r\n0\r\n\r\n') : text.length >= body + Number(length);
}

const openWs: OpenSender = async (ports, sender, answered) => {
  const socket = new WebSocket(`ws://${ports.host}:${ports.http}/announce`, { localAddress: sourceOf(sender) });
  await once(socket, 'open');
  const peerId = latinIdOf(createPeerId());
  const messages = Array.from({ length: PREPARED }, (_, index) =>
    encodeWsClientMessage({ ...announceOf(sender, index), type: 'announce', peerId, offers: [], trickle: false }),
  );
  socket.on('message', answered);
  return { send: (index) => socket.send(messages[index % PREPARED] ?? ''), close: () => socket.terminate() };
};

const OPEN = { udp: openUdp, http: openHttp, ws: openWs };
export type Protocol = keyof typeof OPEN;

/** Sends until `total` announces are answered; resolves with announces per second. @throws Error when answers stop coming */
export async function announceAll(protocol: Protocol, ports: TrackerPorts, total: number): Promise<number> {
  let [sent, answers] = [0, 0];
  const finished = Promise.withResolvers<void>();
  const senders: Sender[] = [];
  const sendNext = (sender: number): void => {
    if (answers >= total) finished.resolve();
    else senders[sender]?.send(sent++);
  };
  for (let at = 0; at < SENDERS; at++)
    senders.push(
      await OPEN[protocol](ports, at, () => {
        answers++;
        sendNext(at);
      }),
    );
  const startedAtMs = performance.now();
  for (let at = 0; at < SENDERS; at++) for (let flight = 0; flight < WINDOW[protocol]; flight++) sendNext(at);
  const stopWatching = watch(
    () => answers,
    () => senders.forEach((_, at) => sendNext(at)),
    finished.reject,
  );
  try {
    await finished.promise;
    return answers / ((performance.now() - startedAtMs) / 1000);
  } finally {
    stopWatching();
    for (const sender of senders) sender.close();
  }
}

/** Sends again when packets were lost, and gives up when nothing comes at all. */
function watch(progress: () => number, resend: () => void, giveUp: (error: Error) => void): () => void {
  let [seen, quietMs] = [-1, 0];
  const timer = setInterval(() => {
    quietMs = progress() === seen ? quietMs + RESEND_MS : 0;
    seen = progress();
    if (quietMs >= STALL_MS) giveUp(new Error(`no answer for ${STALL_MS} ms`));
    else if (quietMs > 0) resend();
  }, RESEND_MS);
  return () => clearInterval(timer);
}
