/**
 * `/announce` as a WebSocket: frames to and from the tracker's hub. Sockets are bounded in message size, in number by the
 * listener and the hub, and in time: one that misses a ping is cut, so half-open connections do not pile up.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { Cancel, Clock } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { KIB, SECOND_MS } from '../../base/units.ts';
import type { SignalSocket } from '../../tracker/ports.ts';
import type { SignalHub } from '../../tracker/signal-hub.ts';
import { remoteHostOf } from '../remote.ts';

export interface SignallingDeps {
  readonly hub: Pick<SignalHub, 'connect'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly trustProxy: boolean;
}

const MAX_MESSAGE_BYTES = 64 * KIB;
const PING_EVERY_MS = 30 * SECOND_MS;
const CLOSE_GRACE_MS = SECOND_MS;
/** Close codes of RFC 6455 §7.4.1 and the IANA registry. */
const GOING_AWAY = 1_001;
const TRY_AGAIN_LATER = 1_013;

export class SignallingDoor {
  readonly #deps: SignallingDeps;
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    clientTracking: false,
  });
  /** Open sockets; the value says whether one has answered since the last ping. */
  readonly #sockets = new Map<WebSocket, boolean>();
  #cancelPing: Cancel = () => undefined;
  #cancelCut: Cancel = () => undefined;

  constructor(deps: SignallingDeps) {
    this.#deps = deps;
  }

  get sockets(): number {
    return this.#sockets.size;
  }

  start(): void {
    this.#cancelPing = this.#deps.clock.after(PING_EVERY_MS, () => this.#ping());
  }

  /** Takes over the connection of an upgrade request. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#open(webSocket, remoteHostOf(request, this.#deps.trustProxy));
    });
  }

  /** Says good-bye to everybody, and cuts who has not closed a second later. */
  close(): void {
    this.#cancelPing();
    if (this.#sockets.size === 0) return;
    for (const socket of this.#sockets.keys()) socket.close(GOING_AWAY, 'the server stops');
    this.#cancelCut = this.#deps.clock.after(CLOSE_GRACE_MS, () => {
      for (const socket of this.#sockets.keys()) socket.terminate();
    });
  }

  #open(webSocket: WebSocket, remoteHost: string): void {
    webSocket.on('error', (error) => this.#deps.log.debug('signalling.broken', { error: error.message }));
    const session = this.#connect(webSocket, remoteHost);
    if (session === undefined) return;
    this.#sockets.set(webSocket, true);
    webSocket.on('pong', () => this.#sockets.set(webSocket, true));
    webSocket.on('message', (data) => session.receive(textOf(data)));
    webSocket.on('close', () => {
      this.#sockets.delete(webSocket);
      // Nobody is left to cut: the process need not wait for it.
      if (this.#sockets.size === 0) this.#cancelCut();
      session.closed();
    });
  }

  /** Undefined when the hub does not take it. */
  #connect(webSocket: WebSocket, remoteHost: string): ReturnType<SignalHub['connect']> | undefined {
    try {
      return this.#deps.hub.connect(signalSocket(webSocket, remoteHost));
    } catch (error) {
      webSocket.close(TRY_AGAIN_LATER, error instanceof AppError ? error.message : 'not now');
      if (!(error instanceof AppError)) this.#deps.log.error('signalling.failed', { error });
      return undefined;
    }
  }

  #ping(): void {
    for (const [socket, hasAnswered] of this.#sockets) {
      if (!hasAnswered) socket.terminate();
      else {
        this.#sockets.set(socket, false);
        socket.ping();
      }
    }
    this.start();
  }
}

function signalSocket(webSocket: WebSocket, remoteHost: string): SignalSocket {
  return {
    remoteHost,
    get bufferedBytes() {
      return webSocket.bufferedAmount;
    },
    send: (text) => {
      if (webSocket.readyState === WebSocket.OPEN) webSocket.send(text);
    },
    close: (code, reason) => webSocket.close(code, reason),
  };
}

/** One frame's payload; some clients send their JSON as binary. */
function textOf(data: WebSocket.RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return data instanceof ArrayBuffer ? Buffer.from(data).toString('utf8') : data.toString('utf8');
}
