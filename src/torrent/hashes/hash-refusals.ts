/**
 * Hash requests that are refused (BEP 52), by whatever part of a torrent: each costs us an answer and brings the peer
 * nothing, so a flood of them ends the connection. However many are granted in between: it must not be excused by the few
 * that pass.
 */
import { ProtocolError } from '../../base/errors.ts';
import { SECOND_MS } from '../../base/units.ts';
import { encodeHashRequest } from '../../codec/wire-encode.ts';
import type { HashRequest } from '../../codec/wire-hashes.ts';

/** Refused requests, without those forgotten meanwhile, before a peer counts as flooding. */
export const MAX_HASH_REFUSALS = 2_000;
const FORGOTTEN_PER_SECOND = 50;

/** Whoever asks: a peer. */
export interface HashClient {
  readonly isClosed: boolean;
  send(bytes: Uint8Array): void;
}

export class HashRefusals {
  readonly #nowMs: () => number;
  readonly #accounts = new WeakMap<HashClient, { count: number; atMs: number }>();

  /** `nowMs` is monotonic. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Answers with a reject, and counts it. @throws ProtocolError when the peer floods. */
  refuse(client: HashClient, request: HashRequest): void {
    const nowMs = this.#nowMs();
    const { count, atMs } = this.#accounts.get(client) ?? { count: 0, atMs: nowMs };
    const forgotten = ((nowMs - atMs) / SECOND_MS) * FORGOTTEN_PER_SECOND;
    const account = { count: Math.max(0, count - forgotten) + 1, atMs: nowMs };
    this.#accounts.set(client, account);
    if (account.count > MAX_HASH_REFUSALS) throw new ProtocolError('flood of hash requests');
    sendReject(client, request);
  }
}

/** A reject that is not the peer's fault, and is not counted. */
export function sendReject(client: HashClient, request: HashRequest): void {
  if (!client.isClosed) client.send(encodeHashRequest('hashReject', request));
}
