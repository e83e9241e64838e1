/** Browsers let timers of hidden tabs fire once a second at most: an engine must not need more of them than that. */
import { expect, test } from 'vitest';
import { equalBytes } from '../../src/base/bytes.ts';
import type { Clock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { KIB, MIB, SECOND_MS } from '../../src/base/units.ts';
import { Engine, type EngineOptions, type Torrent } from '../../src/torrent/index.ts';
import type { HostOptions } from '../support/memory-network.ts';
import { seededRandom } from '../support/random-bytes.ts';
import {
  instantHasher,
  makeTorrent,
  MemoryStorage,
  type Node,
  PEER_PORT,
  Swarm,
  type TestTorrent,
} from '../support/swarm.ts';

/** Fires whatever is due at the next whole second. */
function throttled(clock: Clock): Clock {
  const untilNextSecond = (delayMs: number): number => {
    const nowMs = clock.monotonicMs();
    return Math.ceil((nowMs + Math.max(delayMs, 1)) / SECOND_MS) * SECOND_MS - nowMs;
  };
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, task) => clock.after(untilNextSecond(delayMs), task),
  };
}

function addNode(swarm: Swarm, isHidden: boolean, host: HostOptions, options: Partial<EngineOptions> = {}): Node {
  if (!isHidden) return swarm.addNode(host, options);
  const machine = swarm.addMachine(host);
  const ports = {
    clock: throttled(swarm.clock),
    hasher: instantHasher,
    log: silentLog,
    random: seededRandom(Number(machine.host.split('.').at(-1))), // in step, all would want the same pieces
    dialers: [machine.dialer],
  };
  const engine = new Engine({ ports, listenPort: PEER_PORT, ...options });
  machine.listen(PEER_PORT, (socket) => engine.accept(socket));
  return { engine, machine, address: { host: machine.host, port: PEER_PORT } };
}

function seedOn(node: Node, { hashes, info, bytes }: TestTorrent): Torrent {
  return node.engine.add({ ...hashes, info, storage: new MemoryStorage(bytes), have: 'all' });
}

function leechOn(node: Node, { hashes, info, bytes }: TestTorrent): { torrent: Torrent; storage: MemoryStorage } {
  const storage = new MemoryStorage(new Uint8Array(bytes.length));
  return { torrent: node.engine.add({ ...hashes, info, storage, have: 'none' }), storage };
}

/** Virtual ms until every leecher of one seed has everything. */
async function transferMs(hidden: { seed: boolean; leech: boolean }, leechers: number): Promise<number> {
  const swarm = new Swarm();
  const source = await makeTorrent(8 * MIB, 256 * KIB);
  const line = { latencyMs: 20, uploadBytesPerSecond: MIB };
  const seed = addNode(swarm, hidden.seed, line);
  seedOn(seed, source);
  const nodes = Array.from({ length: leechers }, () => addNode(swarm, hidden.leech, line));
  const leeches = nodes.map((node) => leechOn(node, source));
  const startMs = swarm.clock.monotonicMs();
  for (const { torrent } of leeches) torrent.addPeers([seed.address, ...nodes.map(({ address }) => address)]);
  await swarm.until(() => leeches.every(({ torrent }) => torrent.isComplete));
  for (const { storage } of leeches) expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
  return swarm.clock.monotonicMs() - startMs;
}

test.each([
  { who: 'a seeding tab', hidden: { seed: true, leech: false }, leechers: 1 },
  { who: 'a seeding tab with more peers than upload slots', hidden: { seed: true, leech: false }, leechers: 12 },
  { who: 'a fetching tab', hidden: { seed: false, leech: true }, leechers: 1 },
  { who: 'both', hidden: { seed: true, leech: true }, leechers: 3 },
])('$who behind others goes nearly as fast as one in front', async ({ hidden, leechers }) => {
  const inFrontMs = await transferMs({ seed: false, leech: false }, leechers);
  expect(await transferMs(hidden, leechers)).toBeLessThan(1.2 * inFrontMs + 2 * SECOND_MS);
});
