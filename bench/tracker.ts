/** Announces per second and what they cost the server, over UDP, HTTP and WebSocket, against the stock tracker server. */
import path from 'node:path';
import { MIB } from '../src/base/units.ts';
import { startProgram } from '../test/support/program.ts';
import { announceAll, type Protocol } from './support/announces.ts';
import type { Bench, Contender, Figures } from './support/bench.ts';
import { TreeMeter } from './support/meter.ts';

const FULL: Readonly<Record<Protocol, number>> = { udp: 400_000, http: 100_000, ws: 200_000 };
const PROTOCOLS = ['udp', 'http', 'ws'] as const;
const WARM_UP = 0.05;

function contender(name: string, script: string, scale: number): Contender {
  return { name, measure: () => measure(path.join(import.meta.dirname, 'peers', script), scale) };
}

async function measure(script: string, scale: number): Promise<Figures> {
  await using program = startProgram(process.execPath, [script]);
  const [, http, udp] = await program.line(/READY (\d+) (\d+)/);
  const ports = { host: '127.0.0.1', http: Number(http), udp: Number(udp) };
  const figures: Record<string, number> = {};
  for (const protocol of PROTOCOLS) {
    const total = Math.max(2_000, Math.round(FULL[protocol] * scale));
    await announceAll(protocol, ports, Math.round(total * WARM_UP));
    const meter = new TreeMeter(program.pid);
    figures[protocol] = await announceAll(protocol, ports, total);
    const { cpuSeconds, peakRssBytes } = meter.stop();
    figures[`${protocol} cpu`] = (cpuSeconds / total) * 1e6;
    figures['memory'] = Math.max(figures['memory'] ?? 0, peakRssBytes / MIB);
  }
  return figures;
}

export const bench: Bench = {
  title: 'announces into 2,000 swarms from 32 addresses, 10 peers wanted, no offers',
  metrics: [
    ...PROTOCOLS.map((protocol) => ({ name: protocol, unit: 'announces/s', better: 'higher' }) as const),
    ...PROTOCOLS.map((protocol) => ({ name: `${protocol} cpu`, unit: 'µs/announce', better: 'lower' }) as const),
    { name: 'memory', unit: 'MiB', better: 'lower' },
  ],
  prepare: ({ scale }) =>
    Promise.resolve({
      contenders: [
        contender('Seedbed', 'tracker.ts', scale),
        contender('bittorrent-tracker', 'bittorrent-tracker.mjs', scale),
      ],
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
};
