/**
 * What a bench is: one claim of ours, measured beside its rivals in the same run. Contenders take turns (A B C A B C …),
 * so that a machine that slows down or warms up slows or warms all of them.
 */

/** `MiB/s`, `CPU s/GiB`, …, and which way is better. */
export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
}

/** Metric name → value of one round. A metric that does not apply to a contender is left out. */
export type Figures = Readonly<Record<string, number>>;

export interface Contender {
  readonly name: string;
  /** Why it cannot run on this machine; it is then listed as absent. */
  readonly lack?: string | undefined;
  /** One round, from nothing to nothing: starts what it needs, measures, cleans up. */
  measure(): Promise<Figures>;
}

export interface BenchOptions {
  /** 1 is the full size; 0.01 a smoke test that proves only that the bench runs. */
  readonly scale: number;
  readonly rounds: number;
  /** Only contenders whose name has this text; all by default. */
  readonly only?: string | undefined;
}

/** What a file of `bench/` exports as `bench`. */
export interface Bench {
  /** What is measured, with its sizes, in one line. */
  readonly title: string;
  readonly metrics: readonly Metric[];
  /** Prepares inputs shared by all rounds. Ours come first. */
  prepare(options: BenchOptions): Promise<Prepared>;
}

export interface Prepared extends AsyncDisposable {
  readonly contenders: readonly Contender[];
}

/** Median and extremes of the rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Row {
  readonly contender: string;
  readonly lack: string | undefined;
  readonly figures: Readonly<Record<string, Spread>>;
}

export interface Report {
  readonly name: string;
  readonly title: string;
  readonly rounds: number;
  readonly scale: number;
  readonly metrics: readonly Metric[];
  readonly rows: readonly Row[];
}

/** Median of an odd or even number of values. @throws RangeError for none. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [min, upper, max] = [sorted[0], sorted[middle], sorted.at(-1)];
  if (min === undefined || upper === undefined || max === undefined) throw new RangeError('no values');
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
  return { median, min, max };
}

/** Runs every contender once per round, in turns. `progress` hears of each measurement. */
export async function runBench(
  name: string,
  bench: Bench,
  options: BenchOptions,
  progress: (line: string) => void,
): Promise<Report> {
  await using prepared = await bench.prepare(options);
  const contenders = prepared.contenders.filter((contender) => contender.name.includes(options.only ?? ''));
  if (contenders.length === 0) throw new RangeError(`no contender of ${name} has "${options.only}" in its name`);
  const results = new Map<string, Figures[]>();
  for (let round = 1; round <= options.rounds; round++) {
    for (const contender of contenders) {
      if (contender.lack !== undefined) continue;
      progress(`${name} ${round}/${options.rounds} ${contender.name}`);
      const figures = await contender.measure();
      results.set(contender.name, [...(results.get(contender.name) ?? []), figures]);
    }
  }
  const rows = contenders.map(({ name: contender, lack }) => ({
    contender,
    lack,
    figures: spreads(bench.metrics, results.get(contender) ?? []),
  }));
  return { name, title: bench.title, rounds: options.rounds, scale: options.scale, metrics: bench.metrics, rows };
}

function spreads(metrics: readonly Metric[], rounds: readonly Figures[]): Record<string, Spread> {
  const found: Record<string, Spread> = {};
  for (const { name } of metrics) {
    const values = rounds.map((figures) => figures[name]).filter((value) => value !== undefined);
    if (values.length > 0) found[name] = spreadOf(values);
  }
  return found;
}
