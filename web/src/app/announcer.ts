/** Words for screen readers: one polite live region, at most one message every five seconds, the newest wins. */
import { create } from 'zustand';
import type { Cancel, Clock } from '../../../src/base/clock.ts';
import { systemClock } from '../../../src/base/clock.ts';

/** Progress spoken more often than this would drown everything else. */
export const SPEAK_EVERY_MS = 5_000;

/** Passes messages on at most every `intervalMs`; of those that come too soon only the newest is kept. */
export class Announcer {
  readonly #clock: Clock;
  readonly #speak: (text: string) => void;
  #spokenAtMs = Number.NEGATIVE_INFINITY;
  #pending: { text: string; cancel: Cancel } | undefined;

  constructor(clock: Clock, speak: (text: string) => void) {
    this.#clock = clock;
    this.#speak = speak;
  }

  say(text: string): void {
    const nowMs = this.#clock.monotonicMs();
    const waitMs = this.#spokenAtMs + SPEAK_EVERY_MS - nowMs;
    this.#pending?.cancel();
    this.#pending = undefined;
    if (waitMs <= 0) this.#sayNow(text);
    else this.#pending = { text, cancel: this.#clock.after(waitMs, () => this.#sayNow(text)) };
  }

  #sayNow(text: string): void {
    this.#pending = undefined;
    this.#spokenAtMs = this.#clock.monotonicMs();
    this.#speak(text);
  }
}

interface SpokenState {
  readonly text: string;
}

export const useSpoken = create<SpokenState>(() => ({ text: '' }));

const announcer = new Announcer(systemClock, (text) => useSpoken.setState({ text }));

/** Says `text` to screen readers, politely. */
export function announce(text: string): void {
  announcer.say(text);
}
