/**
 * The one WebSocket to the tracker: open while it is wanted, reconnecting with growing, jittered pauses. Messages of the
 * tracker are decoded here; what does not decode is dropped, never fatal.
 */
import type { Cancel, Clock } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { MINUTE_MS, SECOND_MS } from '../../base/units.ts';
import {
  decodeWsServerMessage,
  encodeWsClientMessage,
  type WsClientMessage,
  type WsServerMessage,
} from '../../codec/tracker-ws.ts';

const FIRST_PAUSE_MS = SECOND_MS;
const LONGEST_PAUSE_MS = MINUTE_MS;
const CONNECT_TIMEOUT_MS = 10 * SECOND_MS;

export interface TrackerSocketPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  connect(): Pick<WebSocket, 'addEventListener' | 'send' | 'close'>;
  opened(): void;
  received(message: WsServerMessage): void;
  changed(): void;
}

type State =
  | { readonly kind: 'off' }
  | { readonly kind: 'pausing'; readonly cancel: Cancel }
  | { readonly kind: 'connecting' | 'open'; readonly socket: ReturnType<TrackerSocketPorts['connect']> };

/** Pause before attempt `failures` + 1: doubling from 1 s to 60 s, three quarters fixed and the rest by chance. */
export function reconnectPauseMs(failures: number, random: number): number {
  const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 16));
  return pauseMs * (0.75 + 0.5 * random);
}

export class TrackerSocket {
  readonly #ports: TrackerSocketPorts;
  #state: State = { kind: 'off' };
  #failures = 0;

  constructor(ports: TrackerSocketPorts) {
    this.#ports = ports;
  }

  get state(): 'off' | 'connecting' | 'connected' {
    if (this.#state.kind === 'off') return 'off';
    return this.#state.kind === 'open' ? 'connected' : 'connecting';
  }

  /** Wants the connection from now on. */
  start(): void {
    if (this.#state.kind === 'off') this.#connect();
  }

  /** Closes it and stays away. */
  stop(): void {
    const state = this.#state;
    this.#enter({ kind: 'off' });
    this.#failures = 0;
    if (state.kind === 'pausing') state.cancel();
    else if (state.kind !== 'off') state.socket.close();
  }

  /** The network is back: no further pause. */
  retryNow(): void {
    if (this.#state.kind !== 'pausing') return;
    this.#state.cancel();
    this.#connect();
  }

  /** False when there is no connection; whatever is said again at `opened` needs no answer. */
  send(message: WsClientMessage): boolean {
    if (this.#state.kind !== 'open') return false;
    this.#state.socket.send(encodeWsClientMessage(message));
    return true;
  }

  #connect(): void {
    const socket = this.#ports.connect();
    this.#enter({ kind: 'connecting', socket });
    const isCurrent = (): boolean => 'socket' in this.#state && this.#state.socket === socket;
    const cancelTimeout = this.#ports.clock.after(CONNECT_TIMEOUT_MS, () => socket.close());
    socket.addEventListener('open', () => {
      cancelTimeout();
      if (!isCurrent()) return;
      this.#failures = 0;
      this.#enter({ kind: 'open', socket });
      this.#ports.opened();
    });
    socket.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      if (isCurrent() && typeof data === 'string') this.#hear(data);
    });
    socket.addEventListener('close', () => {
      cancelTimeout();
      if (isCurrent()) this.#pause();
    });
  }

  #pause(): void {
    const pauseMs = reconnectPauseMs(this.#failures++, this.#ports.random());
    this.#enter({ kind: 'pausing', cancel: this.#ports.clock.after(pauseMs, () => this.#connect()) });
  }

  #hear(frame: string): void {
    try {
      const message = decodeWsServerMessage(frame);
      if (message !== undefined) this.#ports.received(message);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#ports.log.debug('tracker.frame-dropped', { code: error.code, reason: error.message });
    }
  }

  #enter(state: State): void {
    this.#state = state;
    this.#ports.changed();
  }
}
