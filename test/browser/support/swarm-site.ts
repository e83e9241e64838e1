/**
 * The smallest server a swarm needs: the real tracker on a WebSocket, a page, the service worker, and blobs over HTTP that
 * a test can add, slow down and take away.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { systemClock } from '../../../src/base/clock.ts';
import { parseSha256, type Sha256 } from '../../../src/base/ids.ts';
import { canonicalInfo, canonicalPieceLength } from '../../../src/codec/canonical.ts';
import { infoHashV1Of, writeMetainfo } from '../../../src/codec/metainfo.ts';
import { createPeerId } from '../../../src/codec/peer-id.ts';
import { latinIdOf } from '../../../src/codec/tracker-ws.ts';
import { SignalHub, SwarmRegistry } from '../../../src/tracker/index.ts';
import type { SwarmMedium } from '../../../web/src/swarm/types.ts';
import { openSite, type Site } from './site.ts';

export interface SwarmSite extends Site {
  /** Path → bytes, with single ranges. */
  readonly files: Map<string, Uint8Array>;
  /** Requests for `files`, as `path range`. */
  readonly requests: string[];
  /** Bytes of `files` sent so far. */
  sentBytes: number;
  /** Limit of each answer from `files`. */
  bytesPerSecond: number;
  /** WebSockets the tracker has seen. */
  trackerSockets: number;
}

export async function openSwarmSite(): Promise<SwarmSite> {
  const registry = new SwarmRegistry({
    clock: systemClock,
    admission: { admits: () => true },
    ownSeed: { addressFor: () => undefined },
  });
  const hub = new SignalHub({ registry, clock: systemClock, ownPeerId: latinIdOf(createPeerId()) });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 65_536 });
  const state = {
    files: new Map<string, Uint8Array>(),
    requests: [] as string[],
    sentBytes: 0,
    bytesPerSecond: Number.POSITIVE_INFINITY,
    trackerSockets: 0,
  };
  const site = await openSite({
    entries: { modules: 'test/browser/support/swarm-tab.ts' },
    scripts: { sw: 'web/src/sw/service-worker.ts' },
    define: { __PRECACHE__: '[]' },
    handler: (request, response) => {
      const bytes = state.files.get(new URL(request.url ?? '/', 'http://site').pathname);
      if (bytes === undefined) return false;
      void answer(request, response, bytes);
      return true;
    },
    upgrade: (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        state.trackerSockets++;
        attach(hub, webSocket);
      }),
  });
  async function answer(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array): Promise<void> {
    state.requests.push(`${request.url} ${request.headers.range ?? ''}`.trim());
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(first ?? 0);
    const end = last === undefined || last === '' ? bytes.length : Math.min(bytes.length, Number(last) + 1);
    response.writeHead(first === undefined ? 200 : 206, {
      'content-length': end - start,
      'content-range': `bytes ${start}-${end - 1}/${bytes.length}`,
      'content-type': request.url?.endsWith('.js') === true ? 'text/javascript' : 'video/mp4',
    });
    for (let at = start; at < end && !response.destroyed;) {
      const part = bytes.subarray(at, Math.min(end, at + 16_384));
      at += part.length;
      state.sentBytes += part.length;
      response.write(part);
      if (Number.isFinite(state.bytesPerSecond)) await delay((part.length * 1_000) / state.bytesPerSecond);
    }
    response.end();
  }
  return Object.assign(state, {
    origin: site.origin,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      registry.stop();
      await site[Symbol.asyncDispose]();
    },
  });
}

function attach(hub: SignalHub, socket: WebSocket): void {
  const session = hub.connect({
    remoteHost: '127.0.0.1',
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    send: (text) => socket.send(text),
    close: (code, reason) => socket.close(code, reason),
  });
  // The tracker speaks text only.
  socket.on('message', (frame: Buffer) => session.receive(frame.toString()));
  socket.on('close', () => session.closed());
}

/** Makes bytes a medium, at `/picked` for whoever uploads it; with state `stored` the server has it too, .torrent included. */
export async function publish(
  site: SwarmSite,
  bytes: Uint8Array,
  state: SwarmMedium['state'],
  /** A lie about the bytes, for tests of whoever must notice. */
  claimed?: Sha256,
): Promise<SwarmMedium> {
  const sizeBytes = bytes.length;
  const sha256 = claimed ?? parseSha256(createHash('sha256').update(bytes).digest('hex'));
  const pieceLengthBytes = canonicalPieceLength(sizeBytes);
  const starts = Array.from(
    { length: Math.ceil(sizeBytes / pieceLengthBytes) },
    (_, piece) => piece * pieceLengthBytes,
  );
  const sha1Of = (start: number): Buffer =>
    createHash('sha1')
      .update(bytes.subarray(start, start + pieceLengthBytes))
      .digest();
  const rawInfo = canonicalInfo({ sha256, sizeBytes, pieces: Buffer.concat(starts.map(sha1Of)) });
  const infoHash = await infoHashV1Of(rawInfo);
  const [url, torrentUrl] = [`/${sha256}.mp4`, `/torrent/${infoHash}.torrent`];
  site.files.set('/picked', bytes);
  if (state === 'stored') site.files.set(url, bytes).set(torrentUrl, writeMetainfo({ rawInfo }));
  const torrent = { infoHash, magnet: '', torrentUrl, pieceLengthBytes, pieceCount: starts.length };
  return { sha256, sizeBytes, type: 'video/mp4', name: 'a.mp4', url, state, torrent };
}
