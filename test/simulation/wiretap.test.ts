/** The simulator's audits must hear what encrypted peers say to each other: its wiretap against whole engines. */
import { expect, test } from 'vitest';
import { concatBytes, equalBytes, toHex } from '../../src/base/bytes.ts';
import { KIB } from '../../src/base/units.ts';
import { PROTOCOL_HEADER } from '../../src/codec/handshake.ts';
import { silentLog } from '../../src/base/log.ts';
import { Engine, type EncryptionPolicy, type PeerSocket } from '../../src/torrent/index.ts';
import { instantHasher, keyOf, leechOn, makeTorrent, PEER_PORT, seedOn, Swarm } from '../support/swarm.ts';
import { Dice } from './simulator/dice.ts';
import { simulatedCrypto } from './simulator/encryption.ts';
import { Referee } from './simulator/referee.ts';
import { TappedSocket, type Tap } from './simulator/tapped-socket.ts';
import { Wiretap } from './simulator/wiretap.ts';

/** What a tap heard, in the order of the stream. */
class Record implements Tap {
  readonly #sent: Uint8Array[] = [];
  readonly #received: Uint8Array[] = [];

  touched(): void {
    // Bytes alone count here.
  }

  closed(): void {
    // Bytes alone count here.
  }

  sent(bytes: Uint8Array): void {
    this.#sent.push(bytes.slice());
  }

  received(bytes: Uint8Array): void {
    this.#received.push(bytes.slice());
  }

  get sentBytes(): Uint8Array {
    return concatBytes(this.#sent);
  }

  get receivedBytes(): Uint8Array {
    return concatBytes(this.#received);
  }
}

/** A seed and a leecher whose connection is tapped at both ends. */
async function tapped(dialling: EncryptionPolicy, listening: EncryptionPolicy) {
  const swarm = new Swarm();
  const referee = new Referee(swarm.clock);
  const source = await makeTorrent(200 * KIB, 32 * KIB);
  const add = (encryption: EncryptionPolicy, isOutgoing: boolean) => {
    const machine = swarm.addMachine({ transport: 'tcp', latencyMs: 5, chunkBytes: 777 });
    const record = new Record();
    const tap = (socket: PeerSocket): PeerSocket => {
      const swarmKeys = [keyOf(source)];
      const requiresEncryption = encryption === 'require';
      const parts = { name: encryption, isOutgoing, requiresEncryption, isHonest: true, swarmKeys, referee };
      const wiretap = new Wiretap(record, parts);
      return new TappedSocket(socket, wiretap);
    };
    const dialer = {
      transport: 'tcp' as const,
      dial: async (...to: Parameters<typeof machine.dial>) => tap(await machine.dial(...to)),
    };
    const dice = new Dice(7);
    const { clock } = swarm;
    const common = { clock, hasher: instantHasher, log: silentLog, random: () => dice.next() };
    const ports = { ...common, dialers: [dialer], mse: simulatedCrypto(dice) };
    const engine = new Engine({ ports, encryption, peerId: dice.bytes(20).fill(Number(isOutgoing), 0, 1) });
    machine.listen(PEER_PORT, (socket) => engine.accept(tap(socket)));
    return { node: { engine, machine, address: { host: machine.host, port: PEER_PORT } }, record };
  };
  const seeder = add(listening, false);
  const leecher = add(dialling, true);
  seedOn(seeder.node, source);
  const torrent = leechOn(leecher.node, source, { peers: [seeder.node.address] });
  await swarm.until(() => torrent.isComplete, 60_000);
  return { source, referee, heard: leecher.record, heardThere: seeder.record };
}

test.each([
  { dialling: 'off', listening: 'off' },
  { dialling: 'prefer', listening: 'prefer' },
  { dialling: 'prefer', listening: 'require' },
  { dialling: 'require', listening: 'require' },
] as const)(
  '$dialling to $listening: both ends’ taps hear the same plain stream, handshake to last block',
  async (policies) => {
    const { source, referee, heard, heardThere } = await tapped(policies.dialling, policies.listening);
    expect(referee.breach).toBeUndefined();
    const { sentBytes, receivedBytes } = heard;
    expect(equalBytes(sentBytes.subarray(0, PROTOCOL_HEADER.length), PROTOCOL_HEADER)).toBe(true);
    expect(equalBytes(receivedBytes.subarray(0, PROTOCOL_HEADER.length), PROTOCOL_HEADER)).toBe(true);
    expect(toHex(receivedBytes)).toContain(toHex(source.bytes.subarray(-1_000)));
    const shared = Math.min(receivedBytes.length, heardThere.sentBytes.length);
    expect(shared).toBeGreaterThan(source.bytes.length);
    expect(equalBytes(receivedBytes.subarray(0, shared), heardThere.sentBytes.subarray(0, shared))).toBe(true);
  },
);
