/**
 * Peers that come to waste a torrent's places, in waves: some ask and never read, some wait to be served and never ask.
 * Who comes to download gets in, is served, and is done within bounded time, while the waves go on.
 */
import { expect, test } from 'vitest';
import { KIB, MIB, SECOND_MS } from '../../src/base/units.ts';
import { BLOCK_BYTES } from '../../src/codec/wire.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryNetwork, type MemoryHost, type Weather } from '../support/memory-network.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { keyOf, leechOn, makeTorrent, seedOn, Swarm, type Node, type TestTorrent } from '../support/swarm.ts';

const PIECE_BYTES = 256 * KIB;
const PIECES = 16;
const WAVE = 8;
const WAVE_EVERY_MS = 2 * SECOND_MS;
const FOR_EVER_MS = 1e9;

/** Links to some hosts are closed for good. */
class Links implements Weather {
  readonly stuck = new Set<string>();
  delayMs = (): number => 0;
  bytesPerSecond = (): undefined => undefined;
  blockedMs = (_from: string, to: string): number => (this.stuck.has(to) ? FOR_EVER_MS : 0);
}

class CrowdedSwarm extends Swarm {
  readonly links = new Links();
  override readonly clock = new FakeClock();
  override readonly network = new MemoryNetwork(this.clock, this.links);
  readonly seed: Node;
  readonly source: TestTorrent;

  constructor(source: TestTorrent) {
    super();
    this.source = source;
    this.seed = this.addNode();
    seedOn(this.seed, source);
  }

  /** Knocks from this machine and wants something; does nothing where it is refused. */
  async #meet(machine: MemoryHost): Promise<ScriptedPeer> {
    const peer = new ScriptedPeer(await machine.dial(this.seed.address), { remembers: false });
    return peer
      .sayHello({ swarmKey: keyOf(this.source) })
      .signal('haveNone')
      .signal('interested');
  }

  /** Asks for much once it may, and reads nothing from then on. */
  async neverReads(machine: MemoryHost): Promise<void> {
    const peer = await this.#meet(machine);
    peer.onMessage = ({ type }) => {
      if (type !== 'unchoke') return;
      for (let at = 0; at < 80; at++) {
        const piece = Math.floor(at / (PIECE_BYTES / BLOCK_BYTES)) % PIECES;
        peer.request({ piece, offsetBytes: (at * BLOCK_BYTES) % PIECE_BYTES, lengthBytes: BLOCK_BYTES });
      }
      this.clock.after(1, () => this.links.stuck.add(machine.host));
    };
  }

  /** Takes a place and a slot, and asks for nothing. */
  async neverAsks(machine: MemoryHost): Promise<void> {
    await this.#meet(machine);
  }

  /** Waves of eight without end. */
  attack(join: (machine: MemoryHost) => Promise<void>, machines: () => MemoryHost): void {
    const wave = async (): Promise<void> => {
      for (let at = 0; at < WAVE; at++) await join(machines());
      this.clock.after(WAVE_EVERY_MS, () => void wave());
    };
    void wave();
  }
}

test.each<[string, 'neverReads' | 'neverAsks']>([
  ['ask and never read', 'neverReads'],
  ['wait to be served and never ask', 'neverAsks'],
])('eight new peers every two seconds that %s do not keep out who downloads', async (_case, kind) => {
  const swarm = new CrowdedSwarm(await makeTorrent(PIECES * PIECE_BYTES, PIECE_BYTES));
  swarm.attack(
    (machine) => swarm[kind](machine),
    () => swarm.addMachine(),
  );
  await swarm.clock.advanceAsync(40 * SECOND_MS);
  expect(swarm.seed.engine.connectionCount).toBe(60);
  for (let at = 0; at < 3; at++) {
    const leech = leechOn(swarm.addNode({ uploadBytesPerSecond: MIB }), swarm.source);
    leech.addPeers([swarm.seed.address]);
    await swarm.until(() => leech.isComplete, 90 * SECOND_MS);
  }
});
