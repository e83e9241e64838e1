/** Reading v2 torrents with large pieces: leaves make single blocks readable, and single liars known (BEP 52). */
import { describe, expect, test } from 'vitest';
import { concatBytes, equalBytes } from '../../src/base/bytes.ts';
import { swarmKeyOf } from '../../src/base/ids.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { encodeHashRequest } from '../../src/codec/wire-encode.ts';
import type { Torrent } from '../../src/torrent/index.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { makeTorrentOf, PEER_PORT, Swarm } from '../support/swarm.ts';
import { addLeech, addSeed, v2KeyOf } from '../support/v2-swarm.ts';

describe('reading within a large piece', () => {
  const PIECE = 4 * MIB;
  const UPLINK = MIB;

  /** A viewer and a seed whose uplink takes four seconds for a piece. */
  async function viewing(format: 'v1' | 'v2' | 'hybrid') {
    const swarm = new Swarm();
    const source = await makeTorrentOf(format, [3 * PIECE + 12_345], PIECE);
    const seed = addSeed(swarm, source, { uploadBytesPerSecond: UPLINK });
    const { torrent, node } = addLeech(swarm, source, true, { mode: 'on-demand' });
    torrent.addPeers([seed.address]);
    await swarm.until(() => torrent.peerCount === 1);
    return { swarm, source, seed, torrent, node };
  }

  async function readFirst(swarm: Swarm, torrent: Torrent, start: number, lengthBytes: number) {
    const bytes: Uint8Array[] = [];
    const startMs = swarm.clock.monotonicMs();
    let isOver = false;
    const reading = (async () => {
      for await (const chunk of torrent.read({ start, endExclusive: start + lengthBytes })) bytes.push(chunk);
    })().finally(() => (isOver = true));
    await Promise.all([reading, swarm.until(() => isOver, 60_000)]);
    return { bytes: concatBytes(bytes), tookMs: swarm.clock.monotonicMs() - startMs };
  }

  test.each([{ format: 'v2' }, { format: 'hybrid' }] as const)(
    'a $format reader gets verified 16 KiB long before the piece is complete',
    async ({ format }) => {
      const { swarm, source, torrent } = await viewing(format);
      const start = PIECE + 100_000;
      const { bytes, tookMs } = await readFirst(swarm, torrent, start, 64 * KIB);
      expect(equalBytes(bytes, source.bytes.subarray(start, start + 64 * KIB))).toBe(true);
      expect(torrent.have.has(1)).toBe(false);
      expect(tookMs).toBeLessThan(1_000);
    },
  );

  test.each([{ format: 'v2' }, { format: 'hybrid' }] as const)(
    'a reader of a $format torrent that begins in the padding behind a file gets it',
    async ({ format }) => {
      const swarm = new Swarm();
      const source = await makeTorrentOf(format, [100 * KIB, 300 * KIB], MIB);
      const { torrent } = addLeech(swarm, source, true, { mode: 'on-demand' });
      torrent.addPeers([addSeed(swarm, source).address]);
      await swarm.until(() => torrent.peerCount === 1);
      const { bytes } = await readFirst(swarm, torrent, MIB - 600 * KIB, 700 * KIB);
      expect(equalBytes(bytes, source.bytes.subarray(MIB - 600 * KIB, MIB + 100 * KIB))).toBe(true);
    },
  );

  test('a v1 reader waits for the whole piece', async () => {
    const { swarm, torrent } = await viewing('v1');
    const { tookMs } = await readFirst(swarm, torrent, PIECE + 100_000, 64 * KIB);
    expect(torrent.have.has(1)).toBe(true);
    expect(tookMs).toBeGreaterThan(3_000);
  });

  test('a file is read from end to end, and what was read is kept', async () => {
    const { swarm, source, torrent } = await viewing('v2');
    const { bytes } = await readFirst(swarm, torrent, 0, source.bytes.length);
    expect(equalBytes(bytes, source.bytes)).toBe(true);
    await swarm.until(() => torrent.isComplete, 5_000);
  });

  test('who sends a wrong block is banned at once, the reader never sees it, and the others’ blocks stay', async () => {
    const { swarm, source, torrent } = await viewing('v2');
    const machine = swarm.addMachine({ latencyMs: 1 });
    const liars: ScriptedPeer[] = [];
    machine.listen(PEER_PORT, (socket) => {
      const liar = new ScriptedPeer(socket);
      liars.push(liar);
      liar
        .sayHello({ swarmKey: v2KeyOf(source) })
        .signal('haveAll')
        .signal('unchoke');
      liar.serve(source.bytes, PIECE, (block) => block.map((byte) => byte ^ 1));
    });
    torrent.addPeers([{ host: machine.host, port: PEER_PORT }]);
    await swarm.until(() => torrent.peerCount === 2);
    const { bytes } = await readFirst(swarm, torrent, 0, PIECE);
    expect(equalBytes(bytes, source.bytes.subarray(0, PIECE))).toBe(true);
    expect(liars[0]?.requests.length).toBeGreaterThan(0);
    expect(liars[0]?.isClosed).toBe(true);
    // Without leaves the whole piece would have been thrown away, the honest blocks with it.
    expect(torrent.stats().wastedBytes).toBeGreaterThan(0);
    expect(torrent.stats().wastedBytes).toBeLessThan(PIECE / 4);
    expect(torrent.peerCount).toBe(1);
  });

  test('a reader of a hybrid among v1 peers, who have no leaves, gets whole pieces', async () => {
    const swarm = new Swarm();
    const source = await makeTorrentOf('hybrid', [2 * PIECE], PIECE);
    const old = swarm.addMachine({ latencyMs: 5 });
    let hashRequests = 0;
    old.listen(PEER_PORT, (socket) => {
      const peer = new ScriptedPeer(socket);
      const swarmKey = swarmKeyOf(source.hashes.v1 ?? expect.fail());
      peer.sayHello({ swarmKey }).signal('haveAll').signal('unchoke').serve(source.bytes, PIECE);
      peer.onMessage = ({ type }) => (hashRequests += Number(type === 'hash-request'));
    });
    const { torrent } = addLeech(swarm, source, true, { mode: 'on-demand' });
    torrent.addPeers([{ host: old.host, port: PEER_PORT }]);
    const { bytes } = await readFirst(swarm, torrent, PIECE + 2 * MIB, 64 * KIB);
    expect(equalBytes(bytes, source.bytes.subarray(PIECE + 2 * MIB, PIECE + 2 * MIB + 64 * KIB))).toBe(true);
    expect(torrent.have.has(1)).toBe(true);
    expect(hashRequests).toBe(0);
  });

  test('a peer that refuses leaves costs nothing but the wait for the piece', async () => {
    const swarm = new Swarm();
    const source = await makeTorrentOf('v2', [2 * MIB], MIB);
    const machine = swarm.addMachine({ latencyMs: 1 });
    let refused = 0;
    machine.listen(PEER_PORT, (socket) => {
      const peer = new ScriptedPeer(socket);
      peer
        .sayHello({ swarmKey: v2KeyOf(source) })
        .signal('haveAll')
        .signal('unchoke')
        .serve(source.bytes, MIB);
      peer.onMessage = (message) => {
        if (message.type !== 'hash-request') return;
        refused++;
        peer.send(encodeHashRequest('hashReject', message.request));
      };
    });
    const { torrent } = addLeech(swarm, source, true, { mode: 'on-demand' });
    torrent.addPeers([{ host: machine.host, port: PEER_PORT }]);
    const { bytes } = await readFirst(swarm, torrent, 0, 2 * MIB);
    expect(equalBytes(bytes, source.bytes)).toBe(true);
    expect(refused).toBeGreaterThan(0);
  });
});
