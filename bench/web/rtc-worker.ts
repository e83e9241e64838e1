/**
 * One end of a data channel in a dedicated worker, where the product has it too: either the bare channel, as fast as it
 * goes, or the engine with its OPFS storage behind the same kind of channel. Says `ready`, gets the channel, says `done`.
 */
import { ChannelSocket } from '../../src/adapters/browser/channel-socket.ts';
import { OpfsFolder } from '../../src/adapters/browser/opfs-folder.ts';
import { OpfsStorage } from '../../src/adapters/browser/opfs-storage.ts';
import { subtleHasher } from '../../src/adapters/browser/subtle-hasher.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { MIB } from '../../src/base/units.ts';
import { infoHashesOf, parseMetainfo } from '../../src/codec/metainfo.ts';
import { Engine, type Torrent } from '../../src/torrent/index.ts';

/** What this end does with the channel. */
export type Task =
  | { readonly kind: 'raw-send' | 'raw-receive'; readonly sizeBytes: number; readonly messageBytes: number }
  | { readonly kind: 'seed' | 'leech'; readonly torrentUrl: string; readonly blobUrl: string };

export type Said = { readonly kind: 'ready' } | { readonly kind: 'done'; readonly seconds: number };

/** Best of those tried for a bare channel; see `bench/webrtc.ts`. */
const SEND_PAUSE_BYTES = 4 * MIB;
const SEND_RESUME_BYTES = MIB;
/** As the web app has them. */
const LIMITS = { pieceBufferBytes: 64 * MIB, serveBufferBytes: 16 * MIB };

/** Uses the channel; what it returns is told how large messages may be. */
type Connect = (channel: RTCDataChannel) => ((maxMessageBytes: number) => void) | void;

const say = (said: Said): void => globalThis.postMessage(said);
const secondsSince = (startMs: number): number => (performance.now() - startMs) / 1000;

async function prepare(task: Task): Promise<Connect> {
  switch (task.kind) {
    case 'raw-send':
      return (channel) => rawSend(channel, task.sizeBytes, task.messageBytes);
    case 'raw-receive':
      return (channel) => rawReceive(channel, task.sizeBytes);
    case 'seed':
    case 'leech':
      return prepareTorrent(task.kind, task.torrentUrl, task.blobUrl);
  }
}

function rawSend(channel: RTCDataChannel, sizeBytes: number, messageBytes: number): void {
  const message = new Uint8Array(messageBytes);
  let sentBytes = 0;
  const pump = (): void => {
    for (; sentBytes < sizeBytes && channel.bufferedAmount < SEND_PAUSE_BYTES; sentBytes += messageBytes)
      channel.send(message);
  };
  channel.bufferedAmountLowThreshold = SEND_RESUME_BYTES;
  channel.addEventListener('bufferedamountlow', pump);
  channel.addEventListener('open', pump);
}

function rawReceive(channel: RTCDataChannel, sizeBytes: number): void {
  let receivedBytes = 0;
  let startMs = 0;
  channel.binaryType = 'arraybuffer';
  channel.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) => {
    if (receivedBytes === 0) startMs = performance.now();
    receivedBytes += data.byteLength;
    if (receivedBytes >= sizeBytes) say({ kind: 'done', seconds: secondsSince(startMs) });
  });
}

async function prepareTorrent(role: 'seed' | 'leech', torrentUrl: string, blobUrl: string): Promise<Connect> {
  const { info } = parseMetainfo(new Uint8Array(await (await fetch(torrentUrl)).arrayBuffer()));
  const folder = await OpfsFolder.open('bench', systemClock);
  if (folder === undefined) throw new Error('no OPFS');
  const file = await folder.openFile(role);
  if (role === 'seed') {
    const bytes = new Uint8Array(await (await fetch(blobUrl)).arrayBuffer());
    file.write(bytes, { at: 0 });
  } else file.truncate(0);
  const ports = { clock: systemClock, hasher: subtleHasher, log: silentLog, random: Math.random, dialers: [] };
  const engine = new Engine({ ports, limits: LIMITS });
  const have = role === 'seed' ? 'all' : 'none';
  const torrent = engine.add({ ...(await infoHashesOf(info)), info, storage: new OpfsStorage(file), have });
  if (role === 'leech') report(torrent);
  return (channel) => {
    const socket = new ChannelSocket(channel);
    torrent.attach(socket);
    return (maxMessageBytes) => socket.allowMessages(maxMessageBytes);
  };
}

/** From the handshakes on until everything is verified and flushed. */
function report(torrent: Torrent): void {
  let startMs = 0;
  torrent.events.on('peer', () => (startMs ||= performance.now()));
  torrent.events.on('done', () => say({ kind: 'done', seconds: secondsSince(startMs) }));
}

type Told = { task: Task } | { channel: RTCDataChannel } | { maxMessageBytes: number };

let connect: Promise<Connect> | undefined;
let used: Promise<ReturnType<Connect>> | undefined;
globalThis.addEventListener('message', ({ data }: MessageEvent<Told>) => {
  const fail = (error: unknown): void => {
    globalThis.reportError(error);
  };
  if ('task' in data) {
    connect = prepare(data.task);
    connect.then(() => say({ kind: 'ready' })).catch(fail);
  } else if ('channel' in data) {
    used = connect?.then((use) => use(data.channel));
    used?.catch(fail);
  } else used?.then((allow) => allow?.(data.maxMessageBytes)).catch(fail);
});
