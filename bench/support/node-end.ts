/** The Node end of a data channel: the bare native channel, or the engine behind the product's own connections. */
import path from 'node:path';
import { type DataChannel, PeerConnection } from 'node-datachannel';
import { nodeDisk } from '../../src/adapters/fs/disk.ts';
import { FilePieceStorage } from '../../src/adapters/fs/piece-storage.ts';
import { placeFiles } from '../../src/adapters/fs/placement.ts';
import { Volume } from '../../src/adapters/fs/volume.ts';
import { nodeHasher } from '../../src/adapters/node-crypto/hasher.ts';
import { RtcAnswerer } from '../../src/adapters/webrtc/answerer.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { MIB } from '../../src/base/units.ts';
import { infoHashesOf } from '../../src/codec/metainfo.ts';
import type { TorrentInfo } from '../../src/codec/torrent-info.ts';
import { Engine, type PeerSocket } from '../../src/torrent/index.ts';

const SEND_PAUSE_BYTES = 4 * MIB;
const SEND_RESUME_BYTES = MIB;

/** Answers a browser's offer. */
export interface NodeEnd extends AsyncDisposable {
  answer(offerSdp: string): Promise<string>;
  /** Seconds that the transfer took; only a receiving end knows. */
  done(): Promise<number>;
}

const secondsSince = (startMs: number): number => (performance.now() - startMs) / 1000;

/** The bare channel: sends or receives `sizeBytes`. */
export function rawEnd(role: 'raw-send' | 'raw-receive', sizeBytes: number, messageBytes: number): NodeEnd {
  const connection = new PeerConnection('bench', { iceServers: [] });
  const { promise, resolve } = Promise.withResolvers<number>();
  const kept: DataChannel[] = []; // the library forgets channels that nobody holds
  connection.onDataChannel((channel) => {
    kept.push(channel);
    if (role === 'raw-send') rawSend(channel, sizeBytes, messageBytes);
    else rawReceive(channel, sizeBytes, resolve);
  });
  return {
    answer: (sdp) =>
      new Promise((answered) => {
        connection.onGatheringStateChange((state) => {
          if (state === 'complete') answered(connection.localDescription()?.sdp ?? '');
        });
        connection.setRemoteDescription(sdp, 'offer');
      }),
    done: () => promise,
    [Symbol.asyncDispose]: async () => connection.close(),
  };
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

function rawReceive(channel: DataChannel, sizeBytes: number, done: (seconds: number) => void): void {
  let receivedBytes = 0;
  let startMs = 0;
  channel.onMessage((message) => {
    if (receivedBytes === 0) startMs = performance.now();
    receivedBytes += message instanceof ArrayBuffer ? message.byteLength : message.length;
    if (receivedBytes >= sizeBytes) done(secondsSince(startMs));
  });
}

/** The engine: seeds what lies in `folder`, or fetches it there. */
export async function engineEnd(role: 'seed' | 'leech', info: TorrentInfo, folder: string): Promise<NodeEnd> {
  const ports = { clock: systemClock, hasher: nodeHasher, log: silentLog, random: Math.random, dialers: [] };
  const engine = new Engine({ ports });
  const files = placeFiles(info, path.join(folder, info.name));
  const storage = new FilePieceStorage(new Volume(nodeDisk, silentLog), files, role === 'seed' ? 'read' : 'write');
  if (role === 'leech') await storage.prepare();
  const have = role === 'seed' ? 'all' : 'none';
  const torrent = engine.add({ ...(await infoHashesOf(info)), info, storage, have });
  const { promise, resolve } = Promise.withResolvers<number>();
  let startMs = 0;
  torrent.events.on('peer', () => (startMs ||= performance.now()));
  torrent.events.on('done', () => resolve(secondsSince(startMs)));
  const accept = (socket: PeerSocket): void => engine.accept(socket);
  const answerer = new RtcAnswerer({ iceServers: [], clock: systemClock, log: silentLog, accept });
  return {
    answer: (sdp) =>
      new Promise((answer) =>
        answerer.answer({ sdp, trickle: false }, { answer, candidate: () => undefined, closed: () => undefined }),
      ),
    done: () => promise,
    [Symbol.asyncDispose]: async () => {
      await engine.stop();
      await answerer.stop();
    },
  };
}
