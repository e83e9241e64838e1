/**
 * Announces one torrent to its HTTP and UDP trackers until told to stop: every tier at its own pace, within a tier the
 * first that answers (BEP 12), `started` once, `completed` once, `stopped` at the end to those that know us. A tracker
 * that fails is asked again later and later, with jitter, at most once an hour.
 */
import type { PeerAddress } from '../../base/address.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { sleep, TaskGroup } from '../../base/tasks.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../base/units.ts';
import type { Announce, AnnounceEvent } from '../../codec/announce.ts';
import type { TrackerClient } from './client.ts';

const FIRST_RETRY_MS = 15 * SECOND_MS;
const MAX_RETRY_MS = HOUR_MS;
const MIN_INTERVAL_MS = 30 * SECOND_MS;
const MAX_INTERVAL_MS = HOUR_MS;
/** How long `stop` waits for trackers to hear it. */
const FAREWELL_MS = 2 * SECOND_MS;

export interface AnnouncerOptions {
  readonly tiers: readonly (readonly TrackerClient[])[];
  /** What to say now, without the event. */
  readonly describe: () => Omit<Announce, 'event'>;
  readonly found: (peers: readonly PeerAddress[]) => void;
  readonly clock: Clock;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #tasks: TaskGroup;
  readonly #known = new Set<TrackerClient>();
  /** Wakes the tiers that sleep. */
  #hurry = new AbortController();
  #isComplete = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#tasks = new TaskGroup(options.log);
    for (const tier of options.tiers)
      this.#tasks.run('announcer.tier', (signal) => this.#announceTier([...tier], signal));
  }

  /** Tells the trackers that the download is done; once. */
  completed(): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
    this.#hurry.abort();
    this.#hurry = new AbortController();
  }

  /** Says goodbye where we are known, and waits no longer than two seconds for it. */
  async stop(): Promise<void> {
    await this.#tasks.stop();
    const farewell = new AbortController();
    const cancel = this.#options.clock.after(FAREWELL_MS, () => farewell.abort());
    await Promise.allSettled(
      Array.from(this.#known, (tracker) => tracker.announce(this.#say('stopped'), farewell.signal)),
    );
    cancel();
  }

  async #announceTier(tier: TrackerClient[], signal: AbortSignal): Promise<void> {
    let failures = 0;
    let hasSaidCompleted = this.#isComplete;
    while (!signal.aborted) {
      const saysCompleted = this.#isComplete && !hasSaidCompleted;
      const intervalMs = await this.#announceOnce(tier, saysCompleted, signal);
      if (intervalMs !== undefined) hasSaidCompleted ||= saysCompleted;
      failures = intervalMs === undefined ? failures + 1 : 0;
      await this.#pause(intervalMs ?? retryDelayMs(failures, this.#options.random()), signal);
    }
  }

  /** The tracker's interval; undefined when none of the tier answered. */
  async #announceOnce(tier: TrackerClient[], saysCompleted: boolean, signal: AbortSignal): Promise<number | undefined> {
    for (const tracker of tier) {
      const event = !this.#known.has(tracker) ? 'started' : saysCompleted ? 'completed' : 'update';
      try {
        const answer = await tracker.announce(this.#say(event), signal);
        this.#known.add(tracker);
        tier.splice(tier.indexOf(tracker), 1);
        tier.unshift(tracker);
        this.#options.found(answer.peers);
        return Math.min(Math.max(answer.intervalSec * SECOND_MS, MIN_INTERVAL_MS), MAX_INTERVAL_MS);
      } catch (error) {
        if (signal.aborted) return undefined;
        this.#options.log.info('tracker.failed', { tracker: tracker.url, error });
      }
    }
    return undefined;
  }

  /** Sleeps, but not through `completed`. */
  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#hurry.signal]);
    await sleep(this.#options.clock, delayMs, either).catch(() => undefined); // woken early
  }

  #say(event: AnnounceEvent): Announce {
    return { ...this.#options.describe(), event };
  }
}

/** 15 s, doubled for each failure in a row up to an hour, plus up to a fifth. */
export function retryDelayMs(failures: number, random: number): number {
  const delayMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 20), MAX_RETRY_MS);
  return Math.round(delayMs + (random * Math.min(delayMs, 5 * MINUTE_MS)) / 5);
}
