/**
 * Walks towards a target, four questions at a time, until the eight nearest nodes have answered (BEP 5), and the eight
 * nearest whose ids are bound to their addresses (BEP 42): who sits next to the target at will does not end it. Invariants: no
 * node is asked twice, at most a hundred are asked, few of one public household, and only those the filter allows.
 */
import { householdOf } from '../base/address.ts';
import { scopeOf } from '../base/address-scope.ts';
import { toHex } from '../base/bytes.ts';
import type { DhtContact, KrpcAnswer } from '../codec/krpc.ts';
import { isBoundTo } from './node-id.ts';
import { compareDistance } from './routing-table.ts';

const AT_ONCE = 4;
const NEAREST = 8;
const MAX_ASKED = 100;
/** Of those, nodes that chose their ids; the rest is for the others. */
const MAX_UNBOUND_ASKED = 50;
/** Nodes asked of one public address or /64, whatever liars name there: the first may be gone. */
const MAX_ASKED_PER_HOUSEHOLD = 3;
/** Contacts kept in mind, of the bound and of the others; the farthest go. */
const MAX_CANDIDATES = 100;

export interface LookupOptions {
  /** 20 bytes. */
  readonly target: Uint8Array;
  readonly start: readonly DhtContact[];
  /** Undefined where no answer came. */
  readonly ask: (contact: DhtContact) => Promise<KrpcAnswer | undefined>;
  /** Whether a contact that was told may be asked. */
  readonly allows: (contact: DhtContact) => boolean;
  readonly signal: AbortSignal;
}

interface Candidate {
  readonly contact: DhtContact;
  /** Undefined: an inner address, where one network has many nodes. */
  readonly household: string | undefined;
  /** Whether its id is one of its address. */
  readonly isBound: boolean;
  state: 'new' | 'asked' | 'answered' | 'failed';
  token: Uint8Array | undefined;
}

/** One of the nodes nearest to the target. */
export interface Reached {
  readonly contact: DhtContact;
  /** For an announce there. */
  readonly token: Uint8Array | undefined;
}

/** The nearest nodes that answered, of all and of the bound, nearest first. Stops early, with what it has, when the signal aborts. */
export async function walk(options: LookupOptions): Promise<readonly Reached[]> {
  const course = new Course(options);
  const underWay = new Set<Promise<void>>();
  while (!options.signal.aborted) {
    for (let next = course.next(); next !== undefined && underWay.size < AT_ONCE; next = course.next()) {
      const asking: Promise<void> = course.ask(next).finally(() => underWay.delete(asking));
      underWay.add(asking);
    }
    if (underWay.size === 0) break;
    await Promise.race(underWay);
  }
  await Promise.all(underWay);
  return course.reached();
}

class Course {
  readonly #options: LookupOptions;
  readonly #known = new Set<string>();
  /** Nearest first. */
  #candidates: Candidate[] = [];
  #asked = 0;
  #unboundAsked = 0;
  readonly #askedOf = new Map<string, number>();

  constructor(options: LookupOptions) {
    this.#options = options;
    this.#add(options.start);
  }

  /** The nearest node not yet asked, while it could be among the eight nearest that live, or those of the bound. */
  next(): Candidate | undefined {
    if (this.#asked >= MAX_ASKED) return undefined;
    const living = this.#candidates.filter((candidate) => this.#mayAnswer(candidate));
    return nearestOf(living).find(({ state }) => state === 'new');
  }

  #mayAnswer({ state, household, isBound }: Candidate): boolean {
    if (state !== 'new') return state !== 'failed';
    if (!isBound && this.#unboundAsked >= MAX_UNBOUND_ASKED) return false;
    return household === undefined || (this.#askedOf.get(household) ?? 0) < MAX_ASKED_PER_HOUSEHOLD;
  }

  async ask(candidate: Candidate): Promise<void> {
    candidate.state = 'asked';
    this.#asked++;
    const { household, isBound } = candidate;
    if (!isBound) this.#unboundAsked++;
    if (household !== undefined) this.#askedOf.set(household, (this.#askedOf.get(household) ?? 0) + 1);
    const answer = await this.#options.ask(candidate.contact);
    candidate.state = answer === undefined ? 'failed' : 'answered';
    candidate.token = answer?.token;
    if (answer !== undefined) this.#add(answer.contacts);
  }

  reached(): readonly Reached[] {
    return nearestOf(this.#candidates.filter(({ state }) => state === 'answered'));
  }

  #add(contacts: readonly DhtContact[]): void {
    const { target, allows } = this.#options;
    for (const contact of contacts) {
      const key = `${toHex(contact.id)} ${contact.address.host} ${contact.address.port}`;
      if (this.#known.has(key) || !allows(contact)) continue;
      this.#known.add(key);
      const { host } = contact.address;
      const household = scopeOf(host) === 'public' ? householdOf(host) : undefined;
      const isBound = isBoundTo(host, contact.id);
      this.#candidates.push({ contact, household, isBound, state: 'new', token: undefined });
    }
    this.#candidates.sort((one, other) => compareDistance(target, one.contact.id, other.contact.id));
    this.#candidates = nearestOf(this.#candidates, MAX_CANDIDATES);
  }
}

/** The nearest of all and the nearest of the bound, so many of each, in order. */
function nearestOf(candidates: readonly Candidate[], count = NEAREST): Candidate[] {
  const bound = new Set(candidates.filter(({ isBound }) => isBound).slice(0, count));
  return candidates.filter((candidate, at) => at < count || bound.has(candidate));
}
