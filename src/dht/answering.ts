/**
 * What a node answers to the questions of others (BEP 5, 32), and the peers it keeps for them. Invariants: only addresses
 * that the filter allows are told on or stored; no answer is longer than BEP 32 allows.
 */
import type { PeerAddress } from '../base/address.ts';
import { fromHex } from '../base/bytes.ts';
import type { SwarmKey } from '../base/ids.ts';
import {
  type AddressFamily,
  type DhtContact,
  encodeKrpc,
  KRPC_ERROR,
  type KrpcAnswer,
  type KrpcError,
  type KrpcQuery,
} from '../codec/krpc.ts';
import { PeerStore } from './peer-store.ts';
import type { DhtPorts } from './ports.ts';
import { Tokens } from './tokens.ts';

/** Answered questions of strangers, in peers: small enough that nobody is flooded through us. */
const MAX_TOLD_PEERS = 50;
const MAX_SENT_BYTES = 1_024;
/** What peers take in a packet: all together, and each. */
const VALUES_BYTES = '6:valuesle'.length;
const VALUE_BYTES = { v4: '6:'.length + 6, v6: '18:'.length + 18 } as const;

export interface AnsweringOptions {
  readonly ports: Pick<DhtPorts, 'socket' | 'clock' | 'allowAddress'>;
  /** The nearest nodes of a family that may be told on. */
  readonly closest: (target: Uint8Array, family: AddressFamily) => readonly DhtContact[];
}

export class Answering {
  readonly #options: AnsweringOptions;
  readonly #tokens: Tokens;
  readonly #store = new PeerStore();

  constructor(options: AnsweringOptions) {
    this.#options = options;
    this.#tokens = new Tokens(options.ports.clock);
  }

  /** Peers that were announced here, the last first. */
  peers(key: SwarmKey): readonly PeerAddress[] {
    return this.#store.peers(key, MAX_TOLD_PEERS, this.#options.ports.clock.monotonicMs());
  }

  /** The answer, in the name of `senderId`. */
  answer(query: KrpcQuery, from: PeerAddress, senderId: Uint8Array): KrpcAnswer | KrpcError {
    const { question, transactionId } = query;
    const say = (body: Partial<KrpcAnswer>): KrpcAnswer =>
      this.#fitted({
        kind: 'answer',
        transactionId,
        senderId,
        observed: from,
        contacts: [],
        peers: [],
        token: undefined,
        ...body,
      });
    switch (question.method) {
      case 'ping':
        return say({});
      case 'find_node':
        return say({ contacts: this.#contacts(question.target, question.want) });
      case 'get_peers': {
        const contacts = this.#contacts(fromHex(question.swarmKey), question.want);
        return say({ contacts, peers: this.peers(question.swarmKey), token: this.#tokens.issue(from.host) });
      }
      case 'announce_peer': {
        if (!this.#tokens.accepts(question.token, from.host))
          return { kind: 'error', transactionId, code: KRPC_ERROR.protocol, reason: 'bad token', observed: from };
        this.#keep(question.swarmKey, { host: from.host, port: question.port ?? from.port });
        return say({});
      }
    }
  }

  #keep(key: SwarmKey, peer: PeerAddress): void {
    const { allowAddress, clock } = this.#options.ports;
    if (allowAddress(peer, 'told')) this.#store.add(key, peer, clock.monotonicMs());
  }

  #contacts(target: Uint8Array, want: readonly AddressFamily[] | undefined): readonly DhtContact[] {
    const { ports, closest } = this.#options;
    return (want ?? [ports.socket.family]).flatMap((family) => closest(target, family));
  }

  /** With as many of its peers as there is room for. */
  #fitted(answer: KrpcAnswer): KrpcAnswer {
    if (answer.peers.length === 0) return answer;
    const restBytes = encodeKrpc({ ...answer, peers: [] }).length + VALUES_BYTES;
    const room = Math.floor((MAX_SENT_BYTES - restBytes) / VALUE_BYTES[this.#options.ports.socket.family]);
    return { ...answer, peers: answer.peers.slice(0, Math.max(0, room)) };
  }
}
