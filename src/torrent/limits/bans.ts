/**
 * Who proved to be hostile: by host, or by peer id where hosts are hidden or shared. Wrong bytes ban at once, broken
 * protocol after a few times. Bounded, and forgotten in time.
 */
import { HOUR_MS } from '../../base/units.ts';

const MAX_BANS = 4096;
const BAN_MS = HOUR_MS;
/** Protocol errors within an hour; fewer may be a bug, or one household behind one address. */
const STRIKES = 5;

/** What of a peer a ban can be remembered by. */
export interface BanSubject {
  readonly host: string | undefined;
  readonly peerIdHex: string;
}

export class BanList {
  readonly #untilMs = new Map<string, number>();
  readonly #strikes = new Map<string, { count: number; readonly sinceMs: number }>();

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

  /** It broke the protocol; the fifth time within an hour is a ban. True when it is banned now. */
  strike(subject: BanSubject, nowMs: number): boolean {
    const key = keyOf(subject);
    const known = this.#strikes.get(key);
    const strikes = known !== undefined && nowMs - known.sinceMs < BAN_MS ? known : { count: 0, sinceMs: nowMs };
    strikes.count++;
    this.#strikes.delete(key);
    if (strikes.count >= STRIKES) {
      this.ban(subject, nowMs);
      return true;
    }
    this.#strikes.set(key, strikes);
    const oldest = this.#strikes.keys().next();
    if (this.#strikes.size > MAX_BANS && !oldest.done) this.#strikes.delete(oldest.value);
    return false;
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
export function isShared(host: string): boolean {
  return host === '::1' || host.startsWith('127.');
}

function keyOf(subject: BanSubject): string {
  return subject.host === undefined || isShared(subject.host) ? `id:${subject.peerIdHex}` : subject.host;
}
