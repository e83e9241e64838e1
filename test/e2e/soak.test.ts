/**
 * Torrents that wake and go back to sleep thousands of times, in virtual time over real files and a real database:
 * strangers who take a block and leave, strangers who ask for what is not here, strangers who say nothing.
 */
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, onTestFinished, test } from 'vitest';
import { nodeHasher } from '../../src/adapters/node-crypto/hasher.ts';
import { parseSwarmKey, swarmKeyOf, type SwarmKey } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { KIB, MIB, MINUTE_MS, SECOND_MS } from '../../src/base/units.ts';
import { Seeding } from '../../src/media/seeding.ts';
import { Engine } from '../../src/torrent/index.ts';
import { limits, openMedia, publish } from '../contracts/media-fixture.ts';
import { eventually } from '../support/eventually.ts';
import type { FakeClock } from '../support/fake-clock.ts';
import { MemoryNetwork, type MemoryHost } from '../support/memory-network.ts';
import { seededBytes, seededRandom } from '../support/random-bytes.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';

const PORT = 24_244;
const TORRENTS = 40;
const MAX_AWAKE = 16;
const VISITORS_PER_ROUND = 20;
const FIRST_BLOCK = { piece: 0, offsetBytes: 0, lengthBytes: 16 * KIB };
const UNKNOWN = parseSwarmKey('00'.repeat(20));

interface World {
  readonly seeding: Seeding;
  readonly clock: FakeClock;
  readonly network: MemoryNetwork;
  readonly visitors: readonly MemoryHost[];
  readonly keys: readonly SwarmKey[];
  /** Times a torrent woke. */
  wakes(): number;
}

async function openWorld(): Promise<World> {
  const { media, clock } = await openMedia();
  const keys: SwarmKey[] = [];
  for (let index = 0; index < TORRENTS; index++) {
    const { infoHash } = await publish(media, seededBytes(`soak ${index}`, 20 * KIB));
    if (infoHash !== undefined) keys.push(swarmKeyOf(infoHash));
  }
  const network = new MemoryNetwork(clock);
  let wakes = 0;
  const log = { ...silentLog, debug: (event: string) => void (wakes += Number(event === 'seeding.awake')) };
  const ports = { clock, hasher: nodeHasher, log, random: seededRandom(1), dialers: [] };
  const seeding = new Seeding({
    ...ports,
    media,
    createEngine: (finder) => new Engine({ ports, ...finder }),
    peerAddressFor: () => undefined,
    maxAwake: MAX_AWAKE,
  });
  onTestFinished(() => seeding.stop());
  network.addHost('10.0.0.1').listen(PORT, (socket) => seeding.engine.accept(socket));
  const visitors = Array.from({ length: 100 }, (_, index) => network.addHost(`10.0.1.${index}`, { latencyMs: 10 }));
  return { seeding, clock, network, visitors, keys, wakes: () => wakes };
}

/** Virtual time goes on, a step at a time, while real files are read. */
function passing(clock: FakeClock, stepMs: number, what: string, isOver: () => boolean): Promise<true> {
  const step = async (): Promise<boolean> => {
    await clock.advanceAsync(stepMs);
    return isOver();
  };
  return eventually(what, step, { intervalMs: 1 });
}

/** Comes, asks for the first block, and is told that it came or that the door was closed. */
async function visit(host: MemoryHost, key: SwarmKey): Promise<ScriptedPeer> {
  const peer = new ScriptedPeer(await host.dial({ host: '10.0.0.1', port: PORT }));
  peer.onMessage = (message) => {
    if (message.type === 'unchoke') peer.request(FIRST_BLOCK);
  };
  return peer.sayHello({ swarmKey: key }).signal('haveNone').signal('interested');
}

/** Twenty strangers at once, of whom two ask for what is not here and two say nothing and stay. */
async function round({ seeding, clock, visitors, keys }: World, random: () => number): Promise<void> {
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[Math.floor(random() * items.length)];
    if (item === undefined) throw new Error('the world is not empty');
    return item;
  };
  const silent = [pick(visitors), pick(visitors)].map((host) => host.dial({ host: '10.0.0.1', port: PORT }));
  const wishes = [UNKNOWN, UNKNOWN, ...Array.from({ length: VISITORS_PER_ROUND - 4 }, () => pick(keys))];
  const peers = await Promise.all(wishes.map((key) => visit(pick(visitors), key)));
  const isOver = (): boolean => peers.every((peer) => peer.isClosed || peer.blocks.length > 0);
  await passing(clock, 5, 'everybody is served or refused', isOver);
  expect(seeding.stats.awake).toBeLessThanOrEqual(MAX_AWAKE);
  for (const peer of peers) peer.socket.close();
  await Promise.all(silent);
  await clock.advanceAsync(SECOND_MS);
}

/** Everything sleeps; what is left is what the process costs. */
async function rest({ seeding, clock, network }: World): Promise<Record<string, number>> {
  const isQuiet = (): boolean => seeding.stats.awake === 0 && network.openSockets === 0;
  await passing(clock, 10 * SECOND_MS, 'everything sleeps', isQuiet);
  await clock.advanceAsync(6 * MINUTE_MS);
  const { engine, stats } = seeding;
  return {
    awake: stats.awake,
    torrents: engine.torrents.length,
    connections: engine.connectionCount,
    sockets: network.openSockets,
    buffers: engine.bufferBytes,
    timers: clock.pending,
    files: openFiles(),
  };
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

test.runIf(process.platform === 'linux')(
  'thousands of wakes and sleeps leave no torrent, timer, file, buffer or memory behind',
  async () => {
    const world = await openWorld();
    const filesAtFirst = openFiles();
    const random = seededRandom(7);
    const rounds = async (count: number): Promise<void> => {
      for (let at = 0; at < count; at++) await round(world, random);
    };
    await rounds(20);
    const [before, heapBefore] = [await rest(world), heapBytes()];
    expect(before).toMatchObject({ awake: 0, torrents: 0, connections: 0, sockets: 0, buffers: 0 });

    await rounds(240);
    expect(world.wakes()).toBeGreaterThan(2_000);
    const after = await rest(world);
    expect(after).toEqual(before);
    expect(after['files']).toBeLessThanOrEqual(filesAtFirst + limits.maxIdleReaders);
    expect(heapBytes() - heapBefore).toBeLessThan(2 * MIB);
  },
  120_000,
);
