/**
 * Runs a scenario to its end under virtual time and says what came of it. Invariant: the run is a function of its
 * scenario; equal seeds give equal fingerprints.
 */
import { MINUTE_MS, SECOND_MS } from '../../../src/base/units.ts';
import { HostilePeer } from './hostile.ts';
import type { InvariantBroken, Referee } from './referee.ts';
import type { Scenario } from './scenario.ts';
import { SimNode } from './sim-node.ts';
import { drawScenario } from './widening.ts';
import { World } from './world.ts';

/** How often, in virtual time, is asked whether all are done. */
const LOOK_MS = 100;
/** What is under way may still arrive, before requests without an answer count as forgotten. */
const SETTLE_MS = 2 * MINUTE_MS;
const STOP_MS = 5 * MINUTE_MS;

export interface Outcome {
  readonly scenario: Scenario;
  /** Equal for equal runs. */
  readonly fingerprint: string;
  readonly virtualMs: number;
  readonly breach: InvariantBroken | undefined;
  /** The last events before the end. */
  readonly recent: readonly string[];
}

/** Simulates the swarm that a seed stands for; `draw` says how the seed is read. */
export async function simulate(seed: number, draw: (seed: number) => Scenario = drawScenario): Promise<Outcome> {
  const scenario = draw(seed);
  const simulation = new Simulation(await World.create(scenario));
  await simulation.run();
  return simulation.outcome;
}

class Simulation {
  readonly #world: World;
  readonly #referee: Referee;
  readonly #nodes: readonly SimNode[];
  readonly #hostile: readonly HostilePeer[];
  readonly #restlessMs: number;

  constructor(world: World) {
    const { nodes, hostile } = world.scenario;
    this.#world = world;
    this.#referee = world.referee;
    this.#nodes = nodes.map((plan, at) => new SimNode(world, plan, at));
    this.#hostile = hostile.map((plan, at) => new HostilePeer(world, plan, at));
    this.#restlessMs = Math.max(
      ...nodes.flatMap(({ changes, holdings }) =>
        [changes, ...holdings.map(({ deeds }) => deeds)].flatMap((events) => events.map(({ atMs }) => atMs)),
      ),
    );
  }

  get outcome(): Outcome {
    return {
      scenario: this.#world.scenario,
      fingerprint: this.#referee.fingerprint,
      virtualMs: this.#world.clock.monotonicMs(),
      breach: this.#referee.breach,
      recent: this.#referee.recent,
    };
  }

  async run(): Promise<void> {
    const patienceMs = this.#restlessMs + this.#world.scenario.patienceMs;
    const isComplete = await this.#until(patienceMs, () => this.#isRestful && this.#nodes.every((node) => node.isDone));
    this.#referee.check(isComplete, 'what can complete completes', () => this.#describeMissing());
    for (const hostile of this.#hostile) hostile.leave();
    const isAnswered = await this.#until(SETTLE_MS, () => this.#unanswered().length === 0);
    this.#referee.check(isAnswered, 'every request is answered', () => this.#unanswered().join(', '));
    await this.#stop();
  }

  async #stop(): Promise<void> {
    let left = this.#nodes.length;
    for (const node of this.#nodes)
      node.leave().then(
        () => left--,
        (error: unknown) => this.#referee.broken('no fault escapes', `${node.name} stopping: ${String(error)}`),
      );
    const isStopped = await this.#until(STOP_MS, () => left === 0);
    this.#referee.check(isStopped, 'stop ends', () => `${left} of ${this.#nodes.length} do not stop`);
  }

  get #isRestful(): boolean {
    return this.#world.clock.monotonicMs() > this.#restlessMs;
  }

  /** Goes from instant to instant, auditing whoever did something, until the condition holds; false when it never did. */
  async #until(limitMs: number, condition: () => boolean): Promise<boolean> {
    const { clock } = this.#world;
    const endMs = clock.monotonicMs() + limitMs;
    while (this.#referee.breach === undefined && !condition()) {
      const lookAtMs = Math.min(endMs, clock.monotonicMs() + LOOK_MS);
      while (this.#referee.breach === undefined && (await clock.step(lookAtMs)))
        for (const node of this.#nodes) if (node.isTouched) node.audit();
      if (clock.monotonicMs() >= endMs || clock.pending === 0) return condition();
      clock.advance(lookAtMs - clock.monotonicMs());
    }
    return true;
  }

  #unanswered(): string[] {
    return this.#nodes.flatMap(({ audits }) =>
      audits.flatMap(({ name, unanswered }) => (unanswered.length === 0 ? [] : [`${name}: ${unanswered.join(' ')}`])),
    );
  }

  #describeMissing(): string {
    const missing = this.#nodes.filter((node) => !node.isDone).map((node) => node.missing);
    return `after ${Math.round(this.#world.clock.monotonicMs() / SECOND_MS)} s: ${missing.join(' | ')}`;
  }
}
