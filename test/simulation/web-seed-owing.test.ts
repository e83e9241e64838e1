/** A web seed goes on with a block that a peer brought meanwhile; where that block was wrong, the seed still owes it. */
import { expect, test } from 'vitest';
import { Unavailable } from '../../src/base/errors.ts';
import { sleep } from '../../src/base/tasks.ts';
import { HOUR_MS, KIB, SECOND_MS } from '../../src/base/units.ts';
import { encodeSignal } from '../../src/codec/wire-encode.ts';
import type { Engine } from '../../src/torrent/index.ts';
import type { RangeSource } from '../../src/torrent/ports.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { makeTorrentOf, Swarm, type V2TestTorrent } from '../support/swarm.ts';
import { addLeech, addSeed, v2KeyOf } from '../support/v2-swarm.ts';

const BLOCK = 16 * KIB;
const PIECE = 8 * BLOCK;
const THINKS_MS = 4 * SECOND_MS;

/** Sends one block, thinks, and breaks off. */
function breakingOff(swarm: Swarm, { bytes }: V2TestTorrent): RangeSource {
  return {
    label: 'breaking off',
    async *fetch(start, _endExclusive, signal) {
      yield bytes.slice(start, start + BLOCK);
      await sleep(swarm.clock, THINKS_MS, signal);
      throw new Unavailable('the server went away');
    },
  };
}

/** Of each block that is under way: how many sources are counted for it, and how many have it in their books. */
function books(engine: Engine): { readonly counted: number; readonly owing: number }[] {
  const { content, peers = [] } = engine.inspect().torrents[0] ?? {};
  const owed = [...(content?.webSeeds ?? []), ...peers].flatMap(({ asked }) => asked);
  return (content?.active ?? []).flatMap(({ piece, blocks }) =>
    blocks.flatMap((askers, block) => {
      const key = piece * (content?.blocksPerPiece ?? 0) + block;
      return askers === 'received' ? [] : [{ counted: askers, owing: owed.filter((one) => one === key).length }];
    }),
  );
}

test('a wrong block of a peer leaves the web seed that goes on with it in the books', async () => {
  const swarm = new Swarm();
  const source = await makeTorrentOf('v2', [PIECE], PIECE);
  const webSeeds = [breakingOff(swarm, source)];
  const { node, torrent } = addLeech(swarm, source, true, { mode: 'on-demand', webSeeds, webSeedUse: 'always' });
  // It knows the leaves, and brings a block or two, then none for hours.
  torrent.addPeers([addSeed(swarm, source, { uploadBytesPerSecond: 1 }).address]);
  await swarm.clock.advanceAsync(SECOND_MS);

  const reading = torrent.file(0).read().pipeTo(new WritableStream());
  await swarm.clock.advanceAsync(SECOND_MS);
  const liar = new ScriptedPeer(await swarm.addMachine().dial(node.address));
  const lies: number[] = [];
  liar.onRequest = (request) => {
    lies.push(request.offsetBytes / BLOCK);
    liar.sendBlock(request, new Uint8Array(request.lengthBytes).fill(7));
  };
  liar
    .sayHello({ swarmKey: v2KeyOf(source), v2: true })
    .send(encodeSignal('haveAll'))
    .signal('unchoke');

  for (let ms = 0; ms < THINKS_MS + 3 * SECOND_MS; ms += 50) {
    await swarm.clock.advanceAsync(50);
    for (const { counted, owing } of books(node.engine)) expect(counted).toBe(owing);
  }
  expect(lies).not.toEqual([]);
  expect(liar.isClosed).toBe(true);
  const ended = expect(reading).rejects.toThrow();
  await node.engine.stop();
  await ended;
});

test('a web seed owes nothing of a piece that was given up and begun again by another', async () => {
  const swarm = new Swarm();
  const source = await makeTorrentOf('v2', [4 * BLOCK, 4 * BLOCK], 2 * BLOCK);
  const pausing: RangeSource = {
    label: 'pausing',
    async *fetch(start, endExclusive, signal) {
      const middle = Math.min(endExclusive, start + BLOCK);
      yield source.bytes.slice(start, middle);
      await sleep(swarm.clock, THINKS_MS, signal);
      yield source.bytes.slice(middle, endExclusive);
    },
  };
  const silent: RangeSource = {
    label: 'silent',
    async *fetch(_start, _endExclusive, signal) {
      await sleep(swarm.clock, HOUR_MS, signal);
      yield new Uint8Array();
    },
  };
  const { node, torrent } = addLeech(swarm, source, true, { webSeeds: [pausing], webSeedUse: 'always' });
  await swarm.clock.advanceAsync(SECOND_MS);
  torrent.prioritize([{ first: 1, last: 1, priority: 'skip' }]);
  await swarm.clock.advanceAsync(100);
  torrent.prioritize([{ first: 1, last: 1, priority: 'normal' }]);
  torrent.addWebSeed(silent);
  await swarm.clock.advanceAsync(100);
  const begun = books(node.engine).length;
  expect(begun).toBe(3 + 4); // of the first file what is on its way, and all of the second
  while (!torrent.isComplete) {
    for (const { counted, owing } of books(node.engine)) expect(counted).toBe(owing);
    await swarm.clock.advanceAsync(50);
  }
});
