/**
 * What others say our address is (BEP 42): one voice for each household, and a majority of at least five. Invariants: at
 * most so many voices are kept; inner addresses neither vote nor are voted for, for they say nothing about the internet.
 */
import { householdOf } from '../base/address.ts';
import { scopeOf } from '../base/address-scope.ts';

const MIN_AGREEING = 5;
const MAX_VOICES = 40;

export class AddressVote {
  /** What a household said last; the longest silent first. */
  readonly #voices = new Map<string, string>();

  /** A node at the IP literal `voter` sees us at the IP literal `host`. */
  add(voter: string, host: string): void {
    if (scopeOf(voter) !== 'public' || scopeOf(host) !== 'public') return;
    const household = householdOf(voter);
    this.#voices.delete(household);
    this.#voices.set(household, host);
    const [oldest] = this.#voices.keys();
    if (this.#voices.size > MAX_VOICES && oldest !== undefined) this.#voices.delete(oldest);
  }

  /** Where more than half see us; undefined until enough agree. */
  get winner(): string | undefined {
    const counts = new Map<string, number>();
    for (const host of this.#voices.values()) counts.set(host, (counts.get(host) ?? 0) + 1);
    for (const [host, count] of counts) if (count >= MIN_AGREEING && count > this.#voices.size / 2) return host;
    return undefined;
  }
}
