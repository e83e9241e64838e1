/**
 * Questions on their way and their answers: each ends in an answer from the very address it went to, or in nothing after
 * three seconds. Invariants: at most so many are under way; one timer for all; after `stop` none.
 */
import type { PeerAddress } from '../base/address.ts';
import { randomBytes } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { DueQueue } from '../base/due-queue.ts';
import { SECOND_MS } from '../base/units.ts';
import { type KrpcAnswer, type KrpcError, transactionKey } from '../codec/krpc.ts';

const TIMEOUT_MS = 3 * SECOND_MS;
const MAX_UNDER_WAY = 256;

interface Pending {
  readonly key: string;
  readonly to: PeerAddress;
  readonly ended: (answer: KrpcAnswer | undefined) => void;
}

export class Queries {
  readonly #clock: Clock;
  readonly #pending = new Map<string, Pending>();
  readonly #due: DueQueue<Pending>;
  #isStopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#due = new DueQueue(clock, (pending) => this.#end(pending, undefined));
  }

  /** Sends through `send`; resolves with undefined for an error, silence, or when too many are under way. */
  ask(to: PeerAddress, send: (transactionId: Uint8Array) => void): Promise<KrpcAnswer | undefined> {
    const transactionId = randomBytes(4);
    const key = transactionKey(transactionId);
    if (this.#isStopped || this.#pending.size >= MAX_UNDER_WAY || this.#pending.has(key))
      return Promise.resolve(undefined);
    return new Promise((ended) => {
      const pending = { key, to, ended };
      this.#pending.set(key, pending);
      this.#due.set(pending, this.#clock.monotonicMs() + TIMEOUT_MS);
      send(transactionId);
    });
  }

  /** Whether an answer from there is under way: its sender will be known to live without another question. */
  isAsking({ host, port }: PeerAddress): boolean {
    for (const { to } of this.#pending.values()) if (to.host === host && to.port === port) return true;
    return false;
  }

  /** Takes what came; false for what nobody asked for, which is ignored. */
  received(message: KrpcAnswer | KrpcError, from: PeerAddress): boolean {
    const pending = this.#pending.get(transactionKey(message.transactionId));
    if (pending === undefined || pending.to.host !== from.host || pending.to.port !== from.port) return false;
    this.#end(pending, message.kind === 'answer' ? message : undefined);
    return true;
  }

  stop(): void {
    this.#isStopped = true;
    for (const pending of this.#pending.values()) this.#end(pending, undefined);
    this.#due.clear();
  }

  #end(pending: Pending, answer: KrpcAnswer | undefined): void {
    this.#pending.delete(pending.key);
    this.#due.delete(pending);
    pending.ended(answer);
  }
}
