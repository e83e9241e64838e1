/** Who proved to be hostile: by host, or by peer id where hosts are hidden or shared. Bounded, and forgotten in time. */
import { HOUR_MS } from '../base/units.ts';

const MAX_BANS = 4096;
const BAN_MS = HOUR_MS;

/** What of a peer a ban can be remembered by. */
export interface BanSubject {
  readonly host: string | undefined;
  readonly peerIdHex: string;
}

export class BanList {
  readonly #untilMs = new Map<string, number>();

  get size(): number {
    return this.#untilMs.size;
  }

  ban(subject: BanSubject, nowMs: number): void {
    const key = keyOf(subject);
    this.#untilMs.delete(key);
    this.#untilMs.set(key, nowMs + BAN_MS);
    const oldest = this.#untilMs.keys().next();
    if (this.#untilMs.size > MAX_BANS && !oldest.done) this.#untilMs.delete(oldest.value);
  }

  isBanned(subject: BanSubject, nowMs: number): boolean {
    return this.#holds(keyOf(subject), nowMs);
  }

  /** For addresses not yet dialled. */
  isHostBanned(host: string, nowMs: number): boolean {
    return !isShared(host) && this.#holds(host, nowMs);
  }

  #holds(key: string, nowMs: number): boolean {
    const untilMs = this.#untilMs.get(key);
    if (untilMs === undefined) return false;
    if (nowMs < untilMs) return true;
    this.#untilMs.delete(key);
    return false;
  }
}

/** Loopback stands for proxies and many local programs: banning it would ban them all. */
function isShared(host: string): boolean {
  return host === '::1' || host.startsWith('127.');
}

function keyOf(subject: BanSubject): string {
  return subject.host === undefined || isShared(subject.host) ? `id:${subject.peerIdHex}` : subject.host;
}
