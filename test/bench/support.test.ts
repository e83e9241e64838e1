import { expect, test } from 'vitest';
import { type Bench, runBench, spreadOf } from '../../bench/support/bench.ts';
import { TreeMeter } from '../../bench/support/meter.ts';
import { formatTable } from '../../bench/support/report.ts';
import { startProgram } from '../support/program.ts';

const done = (): Promise<void> => Promise.resolve();

test('contenders take turns, and what a machine lacks is said in the table', async () => {
  const order: string[] = [];
  let round = 0;
  const contender = (name: string, speed: number) => ({
    name,
    measure: () => {
      order.push(name);
      return Promise.resolve({ speed: speed + round++ });
    },
  });
  const bench: Bench = {
    title: 'a race',
    metrics: [{ name: 'speed', unit: 'MiB/s', better: 'higher' }],
    prepare: () =>
      Promise.resolve({
        contenders: [
          contender('ours', 200),
          contender('theirs', 100),
          { ...contender('absent', 0), lack: 'not installed' },
        ],
        [Symbol.asyncDispose]: done,
      }),
  };
  const report = await runBench('race', bench, { rounds: 3, scale: 1 }, () => undefined);
  expect(order).toEqual(['ours', 'theirs', 'ours', 'theirs', 'ours', 'theirs']);
  expect(formatTable(report)).toEqual([
    '        speed MiB/s',
    'ours    202 (200–204) *',
    'theirs  103 (101–105)',
    'absent  not installed',
  ]);
});

test('contenders may be chosen by name; a name that nobody has is an error', async () => {
  const measured: string[] = [];
  const contender = (name: string) => ({
    name,
    measure: () => {
      measured.push(name);
      return Promise.resolve({ speed: 1 });
    },
  });
  const bench: Bench = {
    title: 'a race',
    metrics: [{ name: 'speed', unit: 'MiB/s', better: 'higher' }],
    prepare: () =>
      Promise.resolve({ contenders: [contender('ours, fast'), contender('theirs')], [Symbol.asyncDispose]: done }),
  };
  const run = (only: string) => runBench('race', bench, { rounds: 1, scale: 1, only }, () => undefined);
  expect((await run('ours')).rows.map((row) => row.contender)).toEqual(['ours, fast']);
  expect(measured).toEqual(['ours, fast']);
  await expect(run('nobody')).rejects.toThrow(RangeError);
});

test.each([
  [[3], 3],
  [[9, 1, 5], 5],
  [[4, 1, 2, 3], 2.5],
])('the median of %j is %d', (values, median) => {
  expect(spreadOf(values).median).toBe(median);
});

test.runIf(process.platform === 'linux')('a meter counts what children burn, also those that have ended', async () => {
  const burn = `const end = process.cpuUsage().user + 300_000; while (process.cpuUsage().user < end);`;
  const script = `${process.execPath} -e '${burn}'; echo burned; exec sleep 60`;
  await using program = startProgram('/bin/sh', ['-c', `sleep 0.1; ${script}`]);
  const meter = new TreeMeter(program.pid);
  await program.line(/burned/);
  const { cpuSeconds, peakRssBytes } = meter.stop();
  expect(cpuSeconds).toBeGreaterThan(0.2);
  expect(cpuSeconds).toBeLessThan(5);
  expect(peakRssBytes).toBeGreaterThan(20 * 1024 * 1024);
});
