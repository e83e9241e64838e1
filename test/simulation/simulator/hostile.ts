/** Peers of a simulation that break the rules: each kind in one way, over the real wire format. */
import type { SwarmKey } from '../../../src/base/ids.ts';
import { swarmKeyOf } from '../../../src/base/ids.ts';
import { SECOND_MS } from '../../../src/base/units.ts';
import type { PeerAddress, PeerSocket } from '../../../src/torrent/index.ts';
import type { MemoryHost } from '../../support/memory-network.ts';
import { ScriptedPeer } from '../../support/scripted-peer.ts';
import { PEER_PORT, type V2TestTorrent } from '../../support/swarm.ts';
import type { Dice } from './dice.ts';
import { HANDSHAKELESS, type EncryptionHostileKind } from './encryption-hostiles.ts';
import type { HashHostileKind } from './hash-hostiles.ts';
import { openEncrypted, openIncoming, type HostileOpening } from './hostile-opening.ts';
import { BEHAVIOURS } from './hostile-behaviours.ts';
import type { RateHostileKind } from './rate-hostiles.ts';
import type { HostilePlan } from './scenario.ts';
import type { World } from './world.ts';

export const PLAIN_HOSTILE_KINDS = [
  'wrong blocks',
  'some wrong blocks',
  'never answers',
  'late answers',
  'half a block',
  'answers twice',
  'rejects all',
  'floods requests',
  'cancels everything',
  'false bitfield',
  'endless have',
  'flapping',
  'bogus metadata',
  'oversize exchange',
  'slow loris',
  'garbage',
  'never reads',
] as const;
export type HostileKind =
  | (typeof PLAIN_HOSTILE_KINDS)[number]
  | HashHostileKind
  | EncryptionHostileKind
  | RateHostileKind;

/** Connections one hostile peer opens in its life. */
const MAX_CONNECTIONS = 60;
const DIAL_EVERY_MS = 4 * SECOND_MS;
/** Those who talk without end leave after so long; the others stay, for who stays must not stop anybody for good. */
const FLOOD_MS = 45 * SECOND_MS;
const FLOODING: ReadonlySet<HostileKind> = new Set<HostileKind>([
  'floods requests',
  'cancels everything',
  'endless have',
  'garbage',
  'never reads',
  'unasked hashes',
  'floods hash requests',
]);

/** One connection of a hostile peer, with what its behaviour needs. */
export interface Attack {
  readonly peer: ScriptedPeer;
  readonly socket: PeerSocket;
  readonly source: V2TestTorrent;
  readonly swarmKey: SwarmKey;
  /** It says that it speaks the v2 half of a hybrid, too. */
  readonly speaksV2: boolean;
  readonly dice: Dice;
  /** Runs `task` later, if the connection still stands. */
  after(delayMs: number, task: () => void): void;
  /** Hangs up and dials the same host again at once. */
  comeBack(): void;
}

export class HostilePeer {
  readonly #world: World;
  readonly #plan: HostilePlan;
  readonly #machine: MemoryHost;
  readonly #address: PeerAddress;
  readonly #dice: Dice;
  readonly #source: V2TestTorrent;
  #connections = 0;
  #isGone = false;

  constructor(world: World, plan: HostilePlan, at: number) {
    const source = world.torrents[plan.torrent];
    if (source === undefined) throw new RangeError('no such torrent');
    this.#world = world;
    this.#plan = plan;
    this.#source = source;
    this.#dice = world.dice.fork();
    this.#machine = world.network.addHost(`10.9.${at >> 8}.${at & 255}`, plan.host);
    this.#address = { host: this.#machine.host, port: PEER_PORT };
    this.#machine.listen(PEER_PORT, (socket) => this.#accept(socket));
    world.at(plan.joinsAtMs, () => this.#dial());
    if (FLOODING.has(plan.kind)) world.at(plan.joinsAtMs + FLOOD_MS, () => this.leave());
  }

  leave(): void {
    this.#isGone = true;
    this.#machine.crash();
  }

  /** Goes for somebody, again and again. */
  #dial(): void {
    if (this.#isGone || this.#connections >= MAX_CONNECTIONS) return;
    const { honestHosts } = this.#world;
    const victims = this.#world.announce(this.#plan.torrent, this.#address).filter(({ host }) => honestHosts.has(host));
    for (const address of victims.slice(0, 2)) this.#dialOne(address);
    this.#world.at(this.#world.clock.monotonicMs() + DIAL_EVERY_MS, () => this.#dial());
  }

  #dialOne(address: PeerAddress): void {
    this.#machine.dial(address).then(
      (socket) => this.#approach(socket),
      () => undefined, // nobody there: another one next time
    );
  }

  /** Whom it speaks as: of a hybrid now one half, now both. */
  #half(): Pick<Attack, 'swarmKey' | 'speaksV2'> {
    const { v1, v2 } = this.#source.hashes;
    const hash = v2 !== undefined && (v1 === undefined || this.#dice.chance(0.6)) ? v2 : v1;
    if (hash === undefined) throw new RangeError('a torrent has a hash');
    return { swarmKey: swarmKeyOf(hash), speaksV2: v2 !== undefined && this.#dice.chance(0.5) };
  }

  #accept(socket: PeerSocket): void {
    if (!this.#speaksEncryption(socket)) this.#attack(socket);
    else openIncoming(socket, this.#opening());
  }

  #approach(socket: PeerSocket): void {
    if (!this.#speaksEncryption(socket) || this.#dice.chance(0.3)) this.#attack(socket);
    else openEncrypted(socket, this.#half().swarmKey, this.#opening());
  }

  #speaksEncryption({ transport }: PeerSocket): boolean {
    return transport === 'tcp' && !HANDSHAKELESS.has(this.#plan.kind);
  }

  #opening(): HostileOpening {
    return {
      swarmKeys: this.#world.swarmKeys,
      dice: this.#dice,
      opened: (stream) => this.#attack(stream),
    };
  }

  #attack(socket: PeerSocket): void {
    if (this.#isGone || this.#connections++ >= MAX_CONNECTIONS) {
      socket.close();
      return;
    }
    const peer = new ScriptedPeer(socket, { remembers: false, closesOnNonsense: true });
    this.#world.referee.note(`${this.#machine.host} attacks: ${this.#plan.kind}`);
    BEHAVIOURS[this.#plan.kind]({
      peer,
      socket,
      source: this.#source,
      ...this.#half(),
      dice: this.#dice,
      after: (delayMs, task) =>
        this.#world.at(this.#world.clock.monotonicMs() + delayMs, () => {
          if (!peer.isClosed && !this.#isGone) task();
        }),
      comeBack: () => {
        socket.close();
        if (socket.remote !== undefined) this.#dialOne({ host: socket.remote.host, port: PEER_PORT });
      },
    });
  }
}
