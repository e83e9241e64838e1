/** Engines whose wires are tapped, and a peer that goes through the encrypted handshake as far as its test wants. */
import { NodeMseCrypto } from '../../src/adapters/node-crypto/mse-crypto.ts';
import { concatBytes, toHex, utf8 } from '../../src/base/bytes.ts';
import type { SwarmKey } from '../../src/base/ids.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { encodeHandshake } from '../../src/codec/handshake.ts';
import { MseInitiator, type MseStream } from '../../src/codec/mse-handshake.ts';
import { createPeerId } from '../../src/codec/peer-id.ts';
import { type EncryptionPolicy, type EngineOptions, type Torrent } from '../../src/torrent/index.ts';
import type { PeerSocket, PeerSocketListener } from '../../src/torrent/ports.ts';
import { makeTorrent, MemoryStorage, PEER_PORT, Swarm, type Node, type TestTorrent } from './swarm.ts';

export const PIECE = 64 * KIB;
export const crypto = new NodeMseCrypto();
export const PROTOCOL = toHex(utf8('BitTorrent protocol'));

/** What went over one connection, from the accepting side. */
export class Tap {
  readonly #in: Uint8Array[] = [];
  readonly #out: Uint8Array[] = [];

  /** The socket, overheard. */
  on(socket: PeerSocket): PeerSocket {
    return {
      transport: socket.transport,
      remote: socket.remote,
      listen: (listener: PeerSocketListener) =>
        socket.listen({
          received: (bytes) => {
            this.#in.push(bytes.slice());
            listener.received(bytes);
          },
          drained: () => listener.drained(),
          closed: (cause) => listener.closed(cause),
        }),
      write: (bytes, released) => {
        this.#out.push(bytes.slice());
        return socket.write(bytes, released);
      },
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      close: () => socket.close(),
    };
  }

  /** Whether the dialling end sent these bytes in the clear. */
  heard(hex: string): boolean {
    return toHex(concatBytes(this.#in)).includes(hex);
  }

  /** Whether either end sent these bytes in the clear. */
  saw(hex: string): boolean {
    return this.heard(hex) || toHex(concatBytes(this.#out)).includes(hex);
  }
}

export interface World {
  readonly swarm: Swarm;
  readonly source: TestTorrent;
  readonly seeder: Node;
  readonly leecher: Node;
  /** One per connection that the seeder accepted. */
  readonly taps: readonly Tap[];
}

/** Two engines; the torrent runs at neither yet. */
export async function twoEngines(
  dialling: EncryptionPolicy,
  listening: EncryptionPolicy,
  options: Partial<EngineOptions> = {},
): Promise<World> {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const seeder = swarm.addNode({ transport: 'tcp' }, { encryption: listening, ...options });
  const leecher = swarm.addNode({ transport: 'tcp' }, { encryption: dialling });
  const taps: Tap[] = [];
  seeder.machine.listen(PEER_PORT, (socket) => {
    const tap = new Tap();
    taps.push(tap);
    seeder.engine.accept(tap.on(socket));
  });
  return { swarm, source, seeder, leecher, taps };
}

export function seed(node: Node, source: TestTorrent): Torrent {
  const storage = new MemoryStorage(source.bytes);
  return node.engine.add({ ...source.hashes, info: source.info, storage, have: 'all', mode: 'seed-only' });
}

export function leech(node: Node, source: TestTorrent, from: Pick<Node, 'address'>): Torrent {
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  return node.engine.add({ ...source.hashes, info: source.info, storage, have: 'none', peers: [from.address] });
}

/** The first bytes of a piece in the middle: seen on a wire, the stream is in the clear. */
export function someDataOf(source: TestTorrent): string {
  return toHex(source.bytes.subarray(5 * PIECE, 5 * PIECE + 32));
}

/** A peer that goes through the encrypted handshake as far as its test wants. */
export class StrangePeer {
  readonly socket: PeerSocket;
  readonly received: Uint8Array[] = [];
  isClosed = false;
  stream: MseStream | undefined;
  onReceived: (bytes: Uint8Array) => void = () => undefined;

  constructor(socket: PeerSocket) {
    this.socket = socket;
    socket.listen({
      received: (bytes) => {
        this.received.push(bytes.slice());
        this.onReceived(bytes);
      },
      drained: () => undefined,
      closed: () => (this.isClosed = true),
    });
  }

  static async dial(swarm: Swarm, node: Node): Promise<StrangePeer> {
    return new StrangePeer(await swarm.addMachine({ transport: 'tcp' }).dial(node.address));
  }

  /** The initiator's whole part, with `inner` as the BitTorrent handshake inside. */
  greet(swarmKey: SwarmKey, inner: SwarmKey = swarmKey): void {
    const initialPayload = encodeHandshake({
      swarmKey: inner,
      peerId: createPeerId(),
      extensions: false,
      fast: true,
      dht: false,
      v2: false,
    });
    const initiator = new MseInitiator(
      { crypto, swarmKey, offers: ['plain', 'rc4'], initialPayload },
      { send: (bytes) => this.socket.write(bytes), opened: (stream) => (this.stream = stream) },
    );
    this.onReceived = (bytes) => {
      if (this.stream === undefined) initiator.feed(bytes);
    };
    initiator.start();
  }

  get receivedBytes(): number {
    return this.received.reduce((sum, { length }) => sum + length, 0);
  }
}
