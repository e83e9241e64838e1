/** DHT nodes on a virtual network and clock, and strangers without manners. */
import type { PeerAddress } from '../../src/base/address.ts';
import { AddressPolicy } from '../../src/base/address-policy.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { parseSwarmKey } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import {
  type DhtContact,
  decodeKrpc,
  encodeKrpc,
  type KrpcAnswer,
  type KrpcMessage,
  type KrpcQuery,
  type KrpcQuestion,
} from '../../src/codec/krpc.ts';
import { DhtNode, type DhtNodeOptions } from '../../src/dht/dht-node.ts';
import { bindNodeId } from '../../src/dht/node-id.ts';
import { DatagramNetwork } from './datagram-network.ts';
import { FakeClock } from './fake-clock.ts';
import { seededBytes } from './random-bytes.ts';

export const KEY = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
const never = new AbortController().signal;

export interface Stranger {
  readonly heard: KrpcMessage[];
  say(message: KrpcMessage, to: DhtNode): Promise<void>;
  raw(bytes: Uint8Array, to: DhtNode): Promise<void>;
  readonly address: PeerAddress;
}

export interface WorldNodeOptions extends Pick<DhtNodeOptions, 'remembered' | 'isReadOnly'> {
  readonly host?: string | undefined;
  /** Behind a router: it does not know the address at which others see it. */
  readonly isTranslated?: boolean;
}

export class DhtWorld {
  readonly clock = new FakeClock();
  readonly network = new DatagramNetwork(this.clock);
  readonly nodes: DhtNode[] = [];
  readonly #policy: AddressPolicy;

  constructor(policy = new AddressPolicy()) {
    this.#policy = policy;
  }

  /** A node; unless told otherwise it begins with the first there is, and has an id of its address (BEP 42). */
  node(
    bootstrap: readonly PeerAddress[] = this.nodes.slice(0, 1).map(({ address }) => address),
    { host, isTranslated = false, isReadOnly, remembered }: WorldNodeOptions = {},
  ): DhtNode {
    const at = this.nodes.length;
    const place = { host: host ?? `20.0.${at >> 8}.${at & 255}`, port: 6_881 };
    const socket = this.network.open(place);
    const random = seededBytes(`node ${at}`, 20);
    const id = isTranslated ? random : bindNodeId(random, place.host);
    const node = new DhtNode({
      remembered: remembered ?? { id, contacts: [] },
      isReadOnly,
      bootstrap: () => Promise.resolve(bootstrap),
      ports: {
        socket: isTranslated ? { ...socket, address: { host: '0.0.0.0', port: 6_881 } } : socket,
        clock: this.clock,
        log: silentLog,
        allowAddress: (address, source) => this.#policy.allowsPeer(address, source),
      },
    });
    this.nodes.push(node);
    return node;
  }

  /** So many nodes that know each other. */
  async crowd(count: number): Promise<void> {
    for (let at = 0; at < count; at++) {
      this.node();
      await this.clock.advanceAsync(500);
    }
    await this.clock.advanceAsync(5_000);
  }

  /** Somebody with a socket and no manners. */
  stranger(host = '20.9.9.9'): Stranger {
    const heard: KrpcMessage[] = [];
    const socket = this.network.open({ host, port: 4_444 });
    socket.listen((bytes) => {
      const message = decodeKrpc(bytes);
      if (message !== undefined) heard.push(message);
    });
    const raw = async (bytes: Uint8Array, to: DhtNode): Promise<void> => {
      socket.send(bytes, to.address);
      await this.clock.advanceAsync(100);
    };
    return { heard, raw, say: (message, to) => raw(encodeKrpc(message), to), address: socket.address };
  }

  /** Somebody who answers every question with what `answer` makes up. */
  liar(contact: DhtContact, answer: (query: KrpcQuery) => Partial<KrpcAnswer>): void {
    const socket = this.network.open(contact.address);
    socket.listen((bytes, from) => {
      const message = decodeKrpc(bytes);
      if (message?.kind !== 'query') return;
      const head = { kind: 'answer', transactionId: message.transactionId, senderId: contact.id } as const;
      socket.send(encodeKrpc({ ...head, contacts: [], peers: [], token: undefined, ...answer(message) }), from);
    });
  }

  /** Peers of `KEY` that a node finds within a minute. */
  async search(node: DhtNode, announcePort?: number): Promise<PeerAddress[]> {
    const found = new Map<string, PeerAddress>();
    const options = { signal: never, ...(announcePort !== undefined && { announcePort }) };
    const searching = node.findPeers(KEY, options, (peers) => {
      for (const peer of peers) found.set(`${peer.host} ${peer.port}`, peer);
    });
    await this.clock.advanceAsync(60_000);
    await searching;
    return [...found.values()];
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.clock.advanceAsync(1_000);
  }
}

/** A question of a stranger who is not to be kept as a contact. */
export function questionOf(question: KrpcQuestion, senderId = seededBytes('stranger', 20)): KrpcMessage {
  return { kind: 'query', transactionId: utf8('aa'), senderId, isReadOnly: true, question };
}
