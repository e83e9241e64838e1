/** One seeder, one leecher, TCP on loopback, data in memory: ours, libtorrent, WebTorrent, and each with ours. */
import path from 'node:path';
import { GIB, MIB } from '../src/base/units.ts';
import { freePort } from '../test/support/free-port.ts';
import type { Bench, Contender, Figures } from './support/bench.ts';
import { makeBlob, memoryFolder, type SeededBlob } from './support/blob.ts';
import { TreeMeter } from './support/meter.ts';
import { LIBTORRENT, type PeerKind, SEEDBED, startPeer, WEBTORRENT } from './support/peer.ts';

const FULL_BYTES = GIB;
const TRANSFER_TIMEOUT_MS = 300_000;
const PAIRS: readonly (readonly [PeerKind, PeerKind])[] = [
  [SEEDBED, SEEDBED],
  [LIBTORRENT, LIBTORRENT],
  [WEBTORRENT, WEBTORRENT],
  [SEEDBED, LIBTORRENT],
  [LIBTORRENT, SEEDBED],
  [SEEDBED, WEBTORRENT],
  [WEBTORRENT, SEEDBED],
];

async function transfer(blob: SeededBlob, from: PeerKind, to: PeerKind): Promise<Figures> {
  const address = `127.0.0.1:${await freePort()}`;
  await using target = await memoryFolder('bench-leech', blob.sizeBytes);
  await using seeder = startPeer(from, 'seed', blob.torrentFile, blob.dataFolder, address);
  await seeder.line(/READY/, 60_000);
  await using leecher = startPeer(to, 'leech', blob.torrentFile, path.join(target.path, 'out'), address);
  await leecher.line(/READY/, 60_000);
  const meters = [new TreeMeter(seeder.pid), new TreeMeter(leecher.pid)];
  leecher.say('go');
  const [, doneSec = '', firstByteSec = ''] = await leecher.line(/DONE (\S+) (\S+)/, TRANSFER_TIMEOUT_MS);
  const [seed, leech] = meters.map((meter) => meter.stop());
  const gib = blob.sizeBytes / GIB;
  return {
    // From the first byte on: when a client looks at a new peer is its own affair, and has a column of its own.
    rate: blob.sizeBytes / MIB / (Number(doneSec) - Number(firstByteSec)),
    firstByte: Number(firstByteSec) * 1000,
    seedCpu: (seed?.cpuSeconds ?? 0) / gib,
    leechCpu: (leech?.cpuSeconds ?? 0) / gib,
    cpu: ((seed?.cpuSeconds ?? 0) + (leech?.cpuSeconds ?? 0)) / gib,
    memory: Math.max(seed?.peakRssBytes ?? 0, leech?.peakRssBytes ?? 0) / MIB,
  };
}

export const bench: Bench = {
  title: '1 GiB over TCP on loopback, one seeder → one leecher',
  metrics: [
    { name: 'rate', unit: 'MiB/s', better: 'higher' },
    { name: 'cpu', unit: 's/GiB both', better: 'lower' },
    { name: 'seedCpu', unit: 's/GiB', better: 'lower' },
    { name: 'leechCpu', unit: 's/GiB', better: 'lower' },
    { name: 'firstByte', unit: 'ms', better: 'lower' },
    { name: 'memory', unit: 'MiB max', better: 'lower' },
  ],
  prepare: async ({ scale }) => {
    const sizeBytes = Math.max(4 * MIB, Math.round(FULL_BYTES * scale));
    const folder = await memoryFolder('bench-swarm', sizeBytes);
    const blob = await makeBlob(folder.path, 'swarm', sizeBytes);
    const contenders: Contender[] = PAIRS.map(([from, to]) => ({
      name: `${from.name} → ${to.name}`,
      lack: from.lack ?? to.lack,
      measure: () => transfer(blob, from, to),
    }));
    return { contenders, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
  },
};
