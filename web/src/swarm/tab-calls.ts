/**
 * A tab's calls to whatever worker leads. Calls wait while none does, and are repeated when another takes over: all of
 * them may be made twice.
 */
import { Cancelled } from '../../../src/base/errors.ts';
import { receivedError } from './sent-errors.ts';
import type { TabCallName, TabCalls, TabId, TabMessage, WorkerMessage } from './tab-protocol.ts';
import type { SeedProgress } from './types.ts';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SeedProgress) => void) | undefined;
}

interface Pending {
  readonly message: Extract<TabMessage, { kind: 'call' }>;
  readonly onProgress: ((progress: SeedProgress) => void) | undefined;
  readonly resolve: (gets: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class TabCaller {
  readonly #tab: TabId;
  readonly #say: (message: TabMessage) => void;
  readonly #pending = new Map<number, Pending>();
  #lastCall = 0;
  #hasLeader = false;

  constructor(tab: TabId, say: (message: TabMessage) => void) {
    this.#tab = tab;
    this.#say = say;
  }

  /** @throws the worker's AppError, Cancelled */
  call<Name extends TabCallName>(
    name: Name,
    asks: TabCalls[Name]['asks'],
    { signal, onProgress }: CallOptions = {},
  ): Promise<TabCalls[Name]['gets']> {
    if (signal?.aborted === true) return Promise.reject(new Cancelled('cancelled by the caller'));
    const call = ++this.#lastCall;
    const message = { kind: 'call', tab: this.#tab, call, name, asks } as const;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(call, { message, onProgress, resolve, reject });
    const abort = (): void => {
      this.#say({ kind: 'abort', tab: this.#tab, call });
      this.#settle(call)?.reject(new Cancelled('cancelled by the caller', {}, { cause: signal?.reason }));
    };
    signal?.addEventListener('abort', abort, { once: true });
    if (this.#hasLeader) this.#say(message);
    // The worker answers a call by what the call's name promises.
    return promise.finally(() => signal?.removeEventListener('abort', abort)) as Promise<TabCalls[Name]['gets']>;
  }

  /** A worker took the lead: everything unanswered is asked again. */
  ledAnew(): void {
    this.#hasLeader = true;
    for (const { message } of this.#pending.values()) this.#say(message);
  }

  hear(message: WorkerMessage): void {
    if (!('tab' in message) || message.tab !== this.#tab) return;
    if (message.kind === 'progress') this.#pending.get(message.call)?.onProgress?.(message.progress);
    if (message.kind === 'done') this.#settle(message.call)?.resolve(message.gets);
    if (message.kind === 'refused') this.#settle(message.call)?.reject(receivedError(message.error));
  }

  /** Nothing will be answered any more. */
  close(): void {
    for (const call of this.#pending.keys()) this.#settle(call)?.reject(new Cancelled('the swarm was closed'));
  }

  #settle(call: number): Pending | undefined {
    const pending = this.#pending.get(call);
    this.#pending.delete(call);
    return pending;
  }
}
