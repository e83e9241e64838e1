/**
 * When one tier of one torrent announces, to which of its trackers, and what it says (BEP 3, 12, 31). Pure: it is told
 * the time and what happened. Invariants: within a tier the first that answers is kept; `started` and `completed` are
 * said once to a tracker; nobody is asked before its minimum interval, an event excepted.
 */
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../base/units.ts';
import type { AnnounceEvent } from '../../codec/announce.ts';

const FIRST_RETRY_MS = 15 * SECOND_MS;
const MAX_RETRY_MS = HOUR_MS;
const DEFAULT_INTERVAL_MS = 30 * MINUTE_MS;
const MIN_INTERVAL_MS = 30 * SECOND_MS;
const MAX_INTERVAL_MS = 3 * HOUR_MS;
const MAX_JITTER_MS = 10 * SECOND_MS;
/** A tracker that says `retry in: never` is left alone for as long as a torrent usually runs. */
const NEVER_MS = 30 * 24 * HOUR_MS;

/** Milliseconds to wait, each at least 0. */
export interface Intervals {
  readonly intervalSec: number;
  readonly minIntervalSec?: number;
}

/**
 * How long after an answer to announce again. A torrent has its own place in the tracker's interval (`phase`, in [0, 1)):
 * thousands that started together come apart after one round, and keep their places. At most one interval, at least
 * half of it and the tracker's minimum; plus a jitter that `random` draws.
 */
export function announceAgainMs(nowMs: number, wanted: Intervals, phase: number, random: number): number {
  const intervalMs = bounded(wanted.intervalSec === 0 ? DEFAULT_INTERVAL_MS : wanted.intervalSec * SECOND_MS);
  const earliestMs = nowMs + Math.max(intervalMs / 2, (wanted.minIntervalSec ?? 0) * SECOND_MS);
  const gridMs = intervalMs / 2;
  const pastGridMs = positiveModulo(earliestMs - phase * gridMs, gridMs);
  const jitterMs = random * Math.min(gridMs / 20, MAX_JITTER_MS);
  return Math.round(earliestMs + gridMs - pastGridMs + jitterMs - nowMs);
}

function bounded(intervalMs: number): number {
  return Math.min(Math.max(intervalMs, MIN_INTERVAL_MS), MAX_INTERVAL_MS);
}

function positiveModulo(value: number, modulus: number): number {
  return ((value % modulus) + modulus) % modulus;
}

/** 15 s, doubled for each failure in a row up to an hour (BEP 15), plus up to a fifth. */
export function retryDelayMs(failures: number, random: number): number {
  const delayMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 20), MAX_RETRY_MS);
  return Math.round(delayMs + (random * Math.min(delayMs, 5 * MINUTE_MS)) / 5);
}

/** What an announce came to. */
export type Outcome =
  | ({ readonly kind: 'answered' } & Intervals)
  /** It does not want this torrent. */
  | { readonly kind: 'refused'; readonly retryInMinutes: number | 'never' | undefined }
  /** Nobody there; not before this time in ms. */
  | { readonly kind: 'unreachable'; readonly notBeforeMs: number };

interface Place {
  readonly tracker: number;
  /** It has heard `started`. */
  isKnown: boolean;
  refusals: number;
  notBeforeMs: number;
}

export class TierSchedule {
  /** Trackers by preference. */
  readonly #places: Place[];
  readonly #phase: number;
  readonly #random: () => number;
  #owesCompleted = false;

  /** `trackers` is how many the tier has; they are shuffled once (BEP 12). `phase` in [0, 1). */
  constructor(trackers: number, phase: number, random: () => number) {
    this.#places = Array.from({ length: trackers }, (_, tracker) => ({
      tracker,
      isKnown: false,
      refusals: 0,
      notBeforeMs: 0,
    }));
    for (let last = trackers - 1; last > 0; last--) this.#swap(last, Math.floor(random() * (last + 1)));
    this.#phase = phase;
    this.#random = random;
  }

  /** The download is done: said with the next announce, which is now due. */
  completed(): void {
    this.#owesCompleted = true;
  }

  /** The first tracker that may be asked now, and what to say; undefined when none may. */
  next(nowMs: number): { readonly tracker: number; readonly event: AnnounceEvent } | undefined {
    const place = this.#places.find(({ notBeforeMs }) => notBeforeMs <= nowMs);
    if (place === undefined) return undefined;
    return { tracker: place.tracker, event: place.isKnown ? this.#news() : 'started' };
  }

  /** Takes what came of asking `tracker` with `event`; returns when the tier is due again, in ms. */
  took(tracker: number, event: AnnounceEvent, outcome: Outcome, nowMs: number): number {
    const place = this.#places.find((candidate) => candidate.tracker === tracker);
    if (place === undefined) return nowMs;
    switch (outcome.kind) {
      case 'answered':
        return this.#answered(place, event, outcome, nowMs);
      case 'refused':
        place.refusals++;
        place.notBeforeMs = nowMs + refusalMs(outcome.retryInMinutes, place.refusals, this.#random());
        break;
      case 'unreachable':
        place.notBeforeMs = outcome.notBeforeMs + Math.round(this.#random() * SECOND_MS);
        break;
    }
    return Math.max(nowMs, Math.min(...this.#places.map(({ notBeforeMs }) => notBeforeMs)));
  }

  /** Trackers that must hear `stopped`. */
  farewells(): readonly number[] {
    return this.#places.filter(({ isKnown }) => isKnown).map(({ tracker }) => tracker);
  }

  #answered(place: Place, event: AnnounceEvent, wanted: Intervals, nowMs: number): number {
    place.isKnown = true;
    place.refusals = 0;
    if (event === 'completed') this.#owesCompleted = false;
    this.#places.splice(this.#places.indexOf(place), 1);
    this.#places.unshift(place);
    if (this.#owesCompleted) return nowMs;
    return nowMs + announceAgainMs(nowMs, wanted, this.#phase, this.#random());
  }

  #news(): AnnounceEvent {
    return this.#owesCompleted ? 'completed' : 'update';
  }

  #swap(one: number, other: number): void {
    const [first, second] = [this.#places[one], this.#places[other]];
    if (first === undefined || second === undefined) return;
    this.#places[one] = second;
    this.#places[other] = first;
  }
}

function refusalMs(retryInMinutes: number | 'never' | undefined, refusals: number, random: number): number {
  if (retryInMinutes === 'never') return NEVER_MS;
  return Math.min(Math.max((retryInMinutes ?? 0) * MINUTE_MS, retryDelayMs(refusals, random)), NEVER_MS);
}
