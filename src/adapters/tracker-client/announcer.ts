/**
 * Announces all torrents to their HTTP and UDP trackers: every tier of each at its own pace, all on one timer. What is due
 * at once waits in line at each tracker. `started` and `completed` are said once, `stopped` at the end to those that know
 * us. After `stop` nothing is left.
 */
import type { PeerAddress } from '../../base/address.ts';
import type { Clock } from '../../base/clock.ts';
import { DueQueue } from '../../base/due-queue.ts';
import type { SwarmKey } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import { TaskGroup } from '../../base/tasks.ts';
import { SECOND_MS } from '../../base/units.ts';
import type { Announce, AnnounceEvent } from '../../codec/announce.ts';
import { type Outcome, TierSchedule } from './announce-schedule.ts';
import { type TrackerClient, TrackerRefused } from './client.ts';
import { TrackerHosts } from './tracker-hosts.ts';

/** How long goodbyes may take. */
const FAREWELL_MS = 2 * SECOND_MS;

/** One info hash to announce; a hybrid torrent has two. */
export interface AnnouncedSwarm {
  readonly key: SwarmKey;
  readonly tiers: readonly (readonly TrackerClient[])[];
  /** What to say now, besides key and event. */
  readonly describe: () => Omit<Announce, 'event' | 'swarmKey'>;
  readonly found: (peers: readonly PeerAddress[]) => void;
}

export interface Announcing {
  /** Tells the trackers that the download is done; once. */
  completed(): void;
  /** Says goodbye where we are known, and waits no longer than two seconds for it. */
  stop(): Promise<void>;
}

export interface AnnouncerOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** One tier of one swarm. */
interface Course {
  readonly swarm: AnnouncedSwarm;
  readonly trackers: readonly TrackerClient[];
  readonly schedule: TierSchedule;
  readonly cancel: AbortController;
  isAsking: boolean;
}

export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #tasks: TaskGroup;
  readonly #hosts: TrackerHosts;
  readonly #due: DueQueue<Course>;
  readonly #announcings = new Set<Announcing>();

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#tasks = new TaskGroup(options.log);
    this.#hosts = new TrackerHosts(options.random);
    this.#due = new DueQueue(options.clock, (course) => this.#ask(course));
  }

  /** Announces from now on. */
  add(swarm: AnnouncedSwarm): Announcing {
    const phase = Number.parseInt(swarm.key.slice(0, 8), 16) / 2 ** 32;
    const courses = swarm.tiers
      .filter((tier) => tier.length > 0)
      .map((trackers): Course => {
        const schedule = new TierSchedule(trackers.length, phase, this.#options.random);
        return { swarm, trackers, schedule, cancel: new AbortController(), isAsking: false };
      });
    const nowMs = this.#nowMs();
    for (const course of courses) this.#due.set(course, nowMs);
    let isComplete = false;
    const announcing: Announcing = {
      completed: () => {
        if (!isComplete) for (const course of courses) this.#completed(course);
        isComplete = true;
      },
      stop: async () => {
        if (this.#announcings.delete(announcing)) await this.#farewell(courses);
      },
    };
    this.#announcings.add(announcing);
    return announcing;
  }

  /** Says goodbye for all torrents, in two seconds, and ends. */
  async stop(): Promise<void> {
    await Promise.all(Array.from(this.#announcings, (announcing) => announcing.stop()));
    this.#due.clear();
    await this.#tasks.stop();
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  #completed(course: Course): void {
    course.schedule.completed();
    if (!course.isAsking && !course.cancel.signal.aborted) this.#due.set(course, this.#nowMs());
  }

  /** Asks the first tracker of the tier that is not known to be down. */
  #ask(course: Course): void {
    const nowMs = this.#nowMs();
    for (let next = course.schedule.next(nowMs); next !== undefined; next = course.schedule.next(nowMs)) {
      const tracker = course.trackers[next.tracker];
      if (tracker === undefined) return;
      const notBeforeMs = this.#hosts.downUntilMs(tracker.url, nowMs);
      if (notBeforeMs === undefined) {
        this.#begin(course, tracker, next);
        return;
      }
      const dueAtMs = course.schedule.took(next.tracker, next.event, { kind: 'unreachable', notBeforeMs }, nowMs);
      this.#due.set(course, dueAtMs);
    }
  }

  #begin(
    course: Course,
    tracker: TrackerClient,
    said: { readonly tracker: number; readonly event: AnnounceEvent },
  ): void {
    course.isAsking = true;
    this.#due.delete(course);
    this.#hosts.inTurn(tracker.url, () =>
      this.#tasks.run('announcer.announce', async () => {
        const outcome = await this.#announce(course, tracker, said.event).finally(() => this.#hosts.done(tracker.url));
        course.isAsking = false;
        if (outcome === undefined || course.cancel.signal.aborted) return;
        this.#due.set(course, course.schedule.took(said.tracker, said.event, outcome, this.#nowMs()));
      }),
    );
  }

  /** Undefined when the torrent was stopped meanwhile. */
  async #announce(course: Course, tracker: TrackerClient, event: AnnounceEvent): Promise<Outcome | undefined> {
    const { swarm, cancel } = course;
    if (cancel.signal.aborted) return undefined;
    const notBeforeMs = this.#hosts.downUntilMs(tracker.url, this.#nowMs());
    if (notBeforeMs !== undefined) return { kind: 'unreachable', notBeforeMs }; // found out while this one stood in line
    try {
      const answer = await tracker.announce({ ...swarm.describe(), swarmKey: swarm.key, event }, cancel.signal);
      this.#hosts.answered(tracker.url);
      if (cancel.signal.aborted) return undefined;
      swarm.found(answer.peers);
      return { ...answer, kind: 'answered' };
    } catch (error) {
      if (cancel.signal.aborted) return undefined;
      this.#options.log.info('tracker.failed', { tracker: tracker.url, error });
      if (error instanceof TrackerRefused) return { kind: 'refused', retryInMinutes: error.retryInMinutes };
      return { kind: 'unreachable', notBeforeMs: this.#hosts.failed(tracker.url, this.#nowMs()) };
    }
  }

  async #farewell(courses: readonly Course[]): Promise<void> {
    for (const course of courses) {
      this.#due.delete(course);
      course.cancel.abort();
    }
    const farewell = new AbortController();
    const cancelTimer = this.#options.clock.after(FAREWELL_MS, () => farewell.abort());
    const goodbyes = courses.flatMap(({ swarm, trackers, schedule }) => {
      const announce = { ...swarm.describe(), swarmKey: swarm.key, event: 'stopped', numWant: 0 } as const;
      const known = trackers.filter((_, at) => schedule.farewells().includes(at));
      return known.map((tracker) => tracker.announce(announce, farewell.signal));
    });
    await Promise.allSettled(goodbyes);
    cancelTimer();
  }
}
