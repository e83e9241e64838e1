/** How soon the server is ready on a machine where set-up is done, with and without npm in front. No rival: a promise. */
import { MIB } from '../src/base/units.ts';
import { startServer } from '../test/support/server.ts';
import { temporaryFolder } from '../test/support/temp-dir.ts';
import type { Bench, Contender } from './support/bench.ts';
import { TreeMeter } from './support/meter.ts';

function contender(name: string, command: readonly string[]): Contender {
  return {
    name,
    measure: async () => {
      await using folder = await temporaryFolder('bench-start');
      await using server = await startServer({ dataFolder: folder.path, command });
      const { totalCpuSeconds, peakRssBytes } = new TreeMeter(server.program.pid).stop();
      return { ready: server.readyMs, cpu: totalCpuSeconds, memory: peakRssBytes / MIB };
    },
  };
}

export const bench: Bench = {
  title: 'from the command to the first good answer of /readyz, nothing stored (promise: 1,500 ms)',
  metrics: [
    { name: 'ready', unit: 'ms', better: 'lower' },
    { name: 'cpu', unit: 's', better: 'lower' },
    { name: 'memory', unit: 'MiB', better: 'lower' },
  ],
  prepare: () =>
    Promise.resolve({
      contenders: [
        contender('npm start', ['npm', 'start']),
        contender('node src/cli/main.ts serve', [process.execPath, 'src/cli/main.ts', 'serve']),
      ],
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
};
