/** Waiting for what other programs do: a condition that must come true, never a pause that hopes it has. */
import { setTimeout as delay } from 'node:timers/promises';

export interface Patience {
  /** Gives up after so long; default 10 s. */
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
}

/** Resolves with the first answer that is neither undefined nor false; an attempt that throws counts as "not yet". */
export async function eventually<T>(
  what: string,
  attempt: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs = 30_000, intervalMs = 20 }: Patience = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  do {
    try {
      const answer = await attempt();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      cause = error;
    }
    await delay(intervalMs);
  } while (performance.now() < deadline);
  throw new Error(`still not after ${timeoutMs} ms: ${what}`, { cause });
}
