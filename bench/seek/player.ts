/** One viewer: opens the film, watches a little, jumps, watches a little … and reports what it felt like. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SECOND_MS } from '../../src/base/units.ts';
import { Playback, type PlaybackPlan } from './playback.ts';

/** A film in a swarm, as one engine offers it. */
export interface Video {
  /** Begins to connect to the swarm; a viewing is opened at the same moment. */
  connect(): void;
  /** A stream from `start` on. */
  open(start: number): Viewing;
}

export interface Viewing {
  /** Resolves with the size of the next chunk in bytes once it can be shown. Pulled only when the player has room. */
  next(): Promise<number>;
  /** The viewer jumped away. */
  leave(): void;
}

export interface ViewingPlan extends PlaybackPlan {
  /** Where to go, in bytes; the first is the cold open. */
  readonly positions: readonly number[];
}

export interface Experience {
  /** From the click until the first byte can be shown. */
  readonly firstByteMs: number;
  /** The same for the first 64 KiB. */
  readonly pictureMs: number;
  readonly stalls: number;
  readonly stalledMs: number;
  /** What the player asked for: what it showed, and what it keeps beyond that. */
  readonly takenBytes: number;
}

/** What a player keeps beyond what it shows. */
const BUFFER_MS = 500;
const GIVE_UP_MS = 30 * SECOND_MS;

/** Follows the plan; one entry per position. */
export async function watch(video: Video, plan: ViewingPlan): Promise<Experience[]> {
  const felt: Experience[] = [];
  video.connect();
  for (const start of plan.positions) felt.push(await play(video.open(start), plan));
  return felt;
}

async function play(viewing: Viewing, plan: ViewingPlan): Promise<Experience> {
  const openedAtMs = performance.now();
  const playback = new Playback(plan, openedAtMs);
  const timer = new AbortController();
  try {
    while (await oneMore(viewing, playback, openedAtMs, timer.signal));
  } finally {
    timer.abort();
    viewing.leave();
  }
  const { stalls, stalledMs, takenBytes } = playback;
  const firstByteMs = playback.firstByteMs ?? GIVE_UP_MS;
  return { firstByteMs, pictureMs: playback.pictureMs ?? GIVE_UP_MS, stalls, stalledMs, takenBytes };
}

/** Takes one chunk when there is room for it; false when enough was shown or nothing comes. */
async function oneMore(
  viewing: Viewing,
  playback: Playback,
  openedAtMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const next = viewing.next();
  const nowMs = performance.now();
  const patienceMs = playback.endsInMs(nowMs) ?? openedAtMs + GIVE_UP_MS - nowMs;
  const sizeBytes = await Promise.race([next, pause(patienceMs, signal)]);
  if (sizeBytes === undefined) return false;
  playback.arrived(sizeBytes, performance.now());
  const surplusMs = playback.bufferedMs(performance.now()) - BUFFER_MS;
  const endsInMs = playback.endsInMs(performance.now()) ?? Number.POSITIVE_INFINITY;
  if (surplusMs > 0) await sleep(Math.min(surplusMs, Math.max(0, endsInMs)));
  return endsInMs > surplusMs;
}

async function pause(durationMs: number, signal: AbortSignal): Promise<undefined> {
  await sleep(Math.max(0, durationMs), undefined, { signal }).catch(() => undefined);
}
