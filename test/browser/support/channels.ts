/** Page side of the data channel tests: two connections in one page, the far end of the channel in a worker. */
import { ChannelSocket } from '../../../src/adapters/browser/channel-socket.ts';
import { relayChannel } from '../../../src/adapters/browser/relayed-channel.ts';
import { toHex } from '../../../src/base/bytes.ts';

export type Way = 'transferred' | 'relayed';

/** Sends `sizeBytes` to the echo worker and takes them back; resolves with what came first and both SHA-256. */
export async function echoThroughWorker(way: Way, sizeBytes: number): Promise<{ first: string; same: boolean }> {
  const sent = seeded(sizeBytes);
  const socket = await connectEcho(way);
  const received = await exchange(socket, sent);
  const echoed = received.subarray(5);
  const hashes = await Promise.all([sent, echoed].map((bytes) => crypto.subtle.digest('SHA-256', bytes)));
  const [a, b] = hashes.map((hash) => toHex(new Uint8Array(hash)));
  return { first: new TextDecoder().decode(received.subarray(0, 5)), same: a === b };
}

function seeded(sizeBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

async function connectEcho(way: Way): Promise<ChannelSocket> {
  const near = new RTCPeerConnection({ iceServers: [] });
  const far = new RTCPeerConnection({ iceServers: [] });
  Object.assign(globalThis, { kept: [near, far] });
  const worker = new Worker('/echo-worker.js', { type: 'module' });
  far.addEventListener('datachannel', ({ channel }) => {
    if (way === 'transferred') return worker.postMessage({ channel }, [channel]);
    const { port1, port2 } = new MessageChannel();
    relayChannel(channel, port1, 1024 * 1024);
    worker.postMessage({ port: port2 }, [port2]);
  });
  const socket = new ChannelSocket(near.createDataChannel('bt'));
  await near.setLocalDescription();
  await gathered(near);
  await far.setRemoteDescription(described(near));
  await far.setLocalDescription();
  await gathered(far);
  await near.setRemoteDescription(described(far));
  return socket;
}

function described({ localDescription }: RTCPeerConnection): RTCSessionDescription {
  if (localDescription === null) throw new Error('no local description');
  return localDescription;
}

function gathered(connection: RTCPeerConnection): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (connection.iceGatheringState === 'complete') resolve();
    };
    connection.addEventListener('icegatheringstatechange', check);
    check();
  });
}

function exchange(socket: ChannelSocket, sent: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const received = new Uint8Array(5 + sent.length);
  let filled = 0;
  let given = 0;
  return new Promise((resolve, reject) => {
    const feed = (): void => {
      while (given < sent.length) {
        const part = sent.subarray(given, given + 200_000);
        given += part.length;
        if (!socket.write(part)) return;
      }
    };
    socket.listen({
      received: (bytes) => {
        received.set(bytes, filled);
        filled += bytes.length;
        if (filled === received.length) resolve(received);
      },
      drained: feed,
      closed: (cause) => reject(cause ?? new Error('closed too early')),
    });
    feed();
  });
}
