/**
 * How much one tracker is asked at once, and whether it is asked at all: shared by all torrents, so that a thousand of
 * them find out once that a tracker is down. Invariants: no more than so many requests of one host are under way; while
 * a host is down, nobody waits for it.
 */
import { retryDelayMs } from './announce-schedule.ts';

const MAX_IN_FLIGHT = 4;
const MAX_HOSTS = 1_000;

interface Host {
  inFlight: number;
  failures: number;
  downUntilMs: number;
  readonly waiting: (() => void)[];
}

export class TrackerHosts {
  readonly #hosts = new Map<string, Host>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** When a host that is down may be asked again, in ms; undefined when it is not down. */
  downUntilMs(url: string, nowMs: number): number | undefined {
    const downUntilMs = this.#hosts.get(hostKey(url))?.downUntilMs ?? 0;
    return downUntilMs > nowMs ? downUntilMs : undefined;
  }

  /** Runs `task` now or when its turn comes; `done` must follow it. */
  inTurn(url: string, task: () => void): void {
    const host = this.#host(url);
    if (host.inFlight >= MAX_IN_FLIGHT) {
      host.waiting.push(task);
      return;
    }
    host.inFlight++;
    task();
  }

  /** A request has ended; the next in line takes its place. */
  done(url: string): void {
    const host = this.#hosts.get(hostKey(url));
    if (host === undefined) return;
    const next = host.waiting.shift();
    if (next === undefined) host.inFlight--;
    else next();
  }

  answered(url: string): void {
    const host = this.#host(url);
    host.failures = 0;
    host.downUntilMs = 0;
  }

  /** Nobody answered; returns when to ask again. Failures of requests that were under way together count once. */
  failed(url: string, nowMs: number): number {
    const host = this.#host(url);
    if (host.downUntilMs <= nowMs) {
      host.failures++;
      host.downUntilMs = nowMs + retryDelayMs(host.failures, this.#random());
    }
    return host.downUntilMs;
  }

  #host(url: string): Host {
    const key = hostKey(url);
    const known = this.#hosts.get(key);
    if (known !== undefined) return known;
    if (this.#hosts.size >= MAX_HOSTS) this.#forgetIdle();
    const host: Host = { inFlight: 0, failures: 0, downUntilMs: 0, waiting: [] };
    this.#hosts.set(key, host);
    return host;
  }

  #forgetIdle(): void {
    for (const [key, host] of this.#hosts) if (host.inFlight === 0) this.#hosts.delete(key);
  }
}

/** Scheme, host and port: paths differ by passkey, the server behind them does not. */
function hostKey(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
