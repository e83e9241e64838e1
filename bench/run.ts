/**
 * `npm run bench [name…] [-- --rounds 3 --scale 0.05 --only Seedbed]`: runs benches (all by default), prints a table each
 * and keeps the figures as JSON in `.seedbed/bench`. Run it on a quiet machine.
 */
import { globSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Bench, type BenchOptions, runBench } from './support/bench.ts';
import { formatTable, machineLine, saveReport } from './support/report.ts';

const folder = import.meta.dirname;
const resultsFolder = path.resolve(folder, '../.seedbed/bench');
const known = globSync('*.ts', { cwd: folder })
  .map((file) => path.basename(file, '.ts'))
  .filter((name) => name !== 'run')
  .toSorted();

async function load(name: string): Promise<Bench> {
  const module: unknown = await import(`./${name}.ts`);
  return (module as { bench: Bench }).bench;
}

async function runAll(names: readonly string[], options: BenchOptions): Promise<void> {
  console.log(machineLine());
  if (options.scale !== 1) console.log(`scale ${options.scale}: shows that the benches run, not how fast anything is`);
  const progress = (line: string): void => {
    if (process.stderr.isTTY) process.stderr.write(`\x1b[2K${line}\r`);
  };
  for (const name of names) {
    const report = await runBench(name, await load(name), options, progress);
    progress('');
    console.log(`\n${name}: ${report.title}\n${report.rounds} rounds in turns, median (min–max)`);
    for (const line of formatTable(report)) console.log(`  ${line}`);
    console.log(`  → ${path.relative(process.cwd(), await saveReport(resultsFolder, report))}`);
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    only: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !known.includes(name));
if (values.list || unknown.length > 0) {
  console.log(unknown.length > 0 ? `no such bench: ${unknown.join(', ')}` : 'benches:');
  for (const name of known) console.log(`  ${name.padEnd(12)} ${(await load(name)).title}`);
  process.exitCode = unknown.length > 0 ? 2 : 0;
} else {
  const options = { rounds: Number(values.rounds), scale: Number(values.scale), only: values.only };
  if (!(options.rounds >= 1) || !(options.scale > 0)) throw new RangeError('--rounds and --scale are positive numbers');
  await runAll(positionals.length > 0 ? positionals : known, options);
}
