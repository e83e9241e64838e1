/**
 * The Node end of a data channel, answering a browser: the bare native channel, or the engine behind the product's own
 * connections. A process of its own, as in the product: the heap of a bench makes every collection there dearer.
 *
 *     raw-send | raw-receive <size in bytes> <message size in bytes>
 *     seed | leech <torrent> <folder>
 *
 * Prints READY, takes the offer's SDP as a line of JSON, prints `ANSWER <SDP as JSON>`; a receiving end then prints
 * `DONE <seconds>`.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type DataChannel, PeerConnection } from 'node-datachannel';
import { RtcAnswerer } from '../../src/adapters/webrtc/answerer.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { MIB } from '../../src/base/units.ts';
import { createEngine, fileStorage, readTorrent } from '../support/engine.ts';

const SEND_PAUSE_BYTES = 4 * MIB;
const SEND_RESUME_BYTES = MIB;

type Answer = (offerSdp: string) => Promise<string>;

function tellSecondsSince(startMs: number): void {
  console.log(`DONE ${((performance.now() - startMs) / 1000).toFixed(4)}`);
}

function bareChannel(use: (channel: DataChannel) => void): Answer {
  const connection = new PeerConnection('bench', { iceServers: [] });
  const kept: DataChannel[] = []; // the library forgets channels that nobody holds
  connection.onDataChannel((channel) => {
    kept.push(channel);
    use(channel);
  });
  return (sdp) =>
    new Promise((answered) => {
      connection.onGatheringStateChange((state) => {
        if (state === 'complete') answered(connection.localDescription()?.sdp ?? '');
      });
      connection.setRemoteDescription(sdp, 'offer');
    });
}

function rawSend(channel: DataChannel, sizeBytes: number, messageBytes: number): void {
  const message = new Uint8Array(messageBytes);
  let sentBytes = 0;
  const pump = (): void => {
    for (; sentBytes < sizeBytes && channel.bufferedAmount() < SEND_PAUSE_BYTES; sentBytes += messageBytes)
      channel.sendMessageBinary(message);
  };
  channel.setBufferedAmountLowThreshold(SEND_RESUME_BYTES);
  channel.onBufferedAmountLow(pump);
  channel.onOpen(pump);
  if (channel.isOpen()) pump();
}

function rawReceive(channel: DataChannel, sizeBytes: number): void {
  let receivedBytes = 0;
  let startMs = 0;
  channel.onMessage((message) => {
    if (receivedBytes === 0) startMs = performance.now();
    receivedBytes += message instanceof ArrayBuffer ? message.byteLength : message.length;
    if (receivedBytes >= sizeBytes) tellSecondsSince(startMs);
  });
}

/** Seeds what lies in `folder`, or fetches it there: from the handshakes on until everything is verified and flushed. */
async function engineEnd(role: 'seed' | 'leech', torrentFile: string, folder: string): Promise<Answer> {
  const { info, hashes } = await readTorrent(torrentFile);
  const { engine } = createEngine();
  const storage = fileStorage(info, folder, role === 'seed' ? 'read' : 'write');
  if (role === 'leech') await storage.prepare();
  const torrent = engine.add({ ...hashes, info, storage, have: role === 'seed' ? 'all' : 'none' });
  let startMs = 0;
  torrent.events.on('peer', () => (startMs ||= performance.now()));
  if (role === 'leech') torrent.events.on('done', () => tellSecondsSince(startMs));
  const answerer = new RtcAnswerer({
    iceServers: [],
    clock: systemClock,
    log: silentLog,
    accept: (socket) => engine.accept(socket),
  });
  return (sdp) =>
    new Promise((answer) =>
      answerer.answer(
        { sdp, trickle: false, allows: () => true },
        { answer, candidate: () => undefined, closed: () => undefined },
      ),
    );
}

async function prepare([role = '', what = '', how = '']: readonly string[]): Promise<Answer> {
  switch (role) {
    case 'raw-send':
      return bareChannel((channel) => rawSend(channel, Number(what), Number(how)));
    case 'raw-receive':
      return bareChannel((channel) => rawReceive(channel, Number(what)));
    case 'seed':
    case 'leech':
      return await engineEnd(role, what, how);
    default:
      throw new RangeError(`no role ${role}`);
  }
}

process.once('SIGTERM', () => process.exit(0));
const answer = await prepare(process.argv.slice(2));
const lines = createInterface(process.stdin);
console.log('READY');
const [offer] = (await once(lines, 'line')) as [string];
console.log(`ANSWER ${JSON.stringify(await answer(JSON.parse(offer) as string))}`);
