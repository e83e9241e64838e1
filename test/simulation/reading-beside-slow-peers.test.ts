/**
 * What a viewer feels beside peers that claim everything and bring nothing, next to nothing, or nothing any more: as
 * little as if they were not there. One seed a third faster than the film carries it.
 */
import { describe, expect, test } from 'vitest';
import { MIB, SECOND_MS } from '../../src/base/units.ts';
import type { TorrentMode } from '../../src/torrent/index.ts';
import { SlowSwarm } from '../support/slow-swarm.ts';
import { leechOn, makeTorrent, MemoryStorage, type Node } from '../support/swarm.ts';
import { BYTES_PER_SECOND, watch } from '../support/viewing.ts';

const PIECE = MIB;
const SIZE_BYTES = 40 * MIB;
const PLAY_MS = 6 * SECOND_MS;
const STARTS = [20, 4, 31].map((piece) => piece * PIECE);
const SEED_BYTES_PER_SECOND = 1.3 * BYTES_PER_SECOND;
/** An unproven peer is waited for so long at the first opening, and looked at ten times a second. */
const FIRST_DOUBT_MS = 400;

/** Silent ones bring nothing, dripping ones a block every so many ms. */
type Company = { readonly count: number; readonly dripMs?: number; readonly comesLater?: true };

interface Felt {
  /** For first bytes and in stalls, all together. */
  readonly waitedMs: number;
  readonly sentBytes: number;
}

function addSeed(swarm: SlowSwarm): Node {
  const node = swarm.addNode({ latencyMs: 20, uploadBytesPerSecond: SEED_BYTES_PER_SECOND });
  const { hashes, info, bytes } = swarm.source;
  node.engine.add({ ...hashes, info, storage: new MemoryStorage(bytes), have: 'all' });
  return node;
}

async function seekAround({ count, dripMs, comesLater }: Company, mode: TorrentMode): Promise<Felt> {
  const swarm = new SlowSwarm(await makeTorrent(SIZE_BYTES, PIECE));
  const torrent = leechOn(swarm.leech, swarm.source, { mode });
  const meet = async (): Promise<void> => {
    for (let at = 0; at < count; at++)
      await (dripMs === undefined ? swarm.peer({ latencyMs: 20 }) : swarm.dripping(dripMs));
  };
  if (comesLater === undefined) await meet();
  await swarm.clock.advanceAsync(50);
  const seed = addSeed(swarm);
  torrent.addPeers([seed.address]);
  await swarm.clock.advanceAsync(SECOND_MS);
  if (comesLater) await meet();
  let waitedMs = 0;
  for (const start of STARTS) {
    const playback = await watch(swarm, torrent, start, PLAY_MS);
    waitedMs += (playback.firstByteMs ?? Number.POSITIVE_INFINITY) + playback.stalledMs;
  }
  return { waitedMs, sentBytes: seed.machine.sentBytes };
}

const known = new Map<TorrentMode, Felt>();

async function aloneIn(mode: TorrentMode): Promise<Felt> {
  const felt = known.get(mode) ?? (await seekAround({ count: 0 }, mode));
  known.set(mode, felt);
  return felt;
}

describe.each<TorrentMode>(['on-demand', 'all'])('in a torrent that fetches %s', (mode) => {
  test.each<[string, Company]>([
    ['eight silent peers', { count: 8 }],
    ['thirty silent peers', { count: 30 }],
    ['eight silent peers that come later', { count: 8, comesLater: true }],
    ['eight peers that bring a block every four seconds', { count: 8, dripMs: 4_000 }],
    ['thirty peers that bring a block every four seconds', { count: 30, dripMs: 4_000 }],
    ['thirty of those that come later', { count: 30, dripMs: 4_000, comesLater: true }],
  ])('a viewer seeks and plays beside %s as without them, and its seed sends no more', async (_case, company) => {
    const [alone, beside] = [await aloneIn(mode), await seekAround(company, mode)];
    expect(beside.waitedMs).toBeLessThan(1.15 * alone.waitedMs + FIRST_DOUBT_MS);
    expect(beside.sentBytes).toBeLessThan(1.1 * alone.sentBytes);
  });
});
