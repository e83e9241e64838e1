/**
 * One node of the DHT (BEP 5) in one address family: finds and announces peers, answers others. Invariants: no address is
 * contacted, told on or stored that the filter refuses; every table, store and rate is bounded; nothing that comes in
 * can throw; after `stop` nothing is left.
 */
import { formatIp, householdOf, parseIp, type PeerAddress } from '../base/address.ts';
import { equalBytes, fromHex, randomBytes } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { FairRate } from '../base/fair-rate.ts';
import type { SwarmKey } from '../base/ids.ts';
import { TaskGroup } from '../base/tasks.ts';
import { MINUTE_MS } from '../base/units.ts';
import {
  decodeKrpc,
  type DhtContact,
  encodeKrpc,
  KRPC_ERROR,
  type KrpcAnswer,
  type KrpcMessage,
  type KrpcQuery,
  type KrpcQuestion,
  NODE_ID_BYTES,
} from '../codec/krpc.ts';
import { type Reached, walk } from './lookup.ts';
import { PeerStore } from './peer-store.ts';
import type { DhtPorts } from './ports.ts';
import { Queries } from './queries.ts';
import { RoutingTable } from './routing-table.ts';
import { Tokens } from './tokens.ts';

const TEND_MS = MINUTE_MS;
/** Answered questions of strangers, in peers: small enough that nobody is flooded through us. */
const MAX_TOLD_PEERS = 50;
const PINGS_PER_MINUTE = 16;
const MAX_CHECKS = 16;
const MAX_CHECKS_PER_HOUSEHOLD = 2;
/** Questions of others that are answered in a second. */
const ANSWERED = { perNeighbour: 50, all: 500 };

export interface DhtNodeOptions {
  readonly ports: DhtPorts;
  /** Judged addresses of nodes to begin with, asked for whenever nobody else is known; may be empty. */
  readonly bootstrap: (signal: AbortSignal) => Promise<readonly PeerAddress[]>;
  /** 20 bytes; random by default. */
  readonly id?: Uint8Array;
}

export class DhtNode {
  readonly id: Uint8Array;
  readonly #ports: DhtPorts;
  readonly #bootstrap: DhtNodeOptions['bootstrap'];
  readonly #tasks: TaskGroup;
  readonly #table: RoutingTable;
  readonly #queries: Queries;
  readonly #answered: FairRate;
  readonly #tokens: Tokens;
  readonly #store = new PeerStore();
  /** Households of those being pinged. */
  readonly #checks: string[] = [];

  constructor({ ports, bootstrap, id = randomBytes(NODE_ID_BYTES) }: DhtNodeOptions) {
    this.id = id;
    this.#ports = ports;
    this.#bootstrap = bootstrap;
    this.#tasks = new TaskGroup(ports.log);
    this.#table = new RoutingTable(id);
    this.#queries = new Queries(ports.clock);
    this.#answered = new FairRate(ports.clock, ANSWERED);
    this.#tokens = new Tokens(ports.clock);
    ports.socket.listen((bytes, from) => this.#receive(bytes, from));
    this.#tasks.run('dht.join', () => this.#join());
    this.#tasks.every('dht.tend', TEND_MS, ports.clock, () => this.#tend());
  }

  /** Where other nodes reach us. */
  get address(): PeerAddress {
    return this.#ports.socket.address;
  }

  /** Nodes in the routing table. */
  get size(): number {
    return this.#table.size;
  }

  /** A node somebody told us of, such as by a PORT message; asked whether it lives. */
  addNode(address: PeerAddress): void {
    if (this.#ports.allowAddress(address, 'told')) this.#check(address);
  }

  /**
   * Looks for peers of a swarm and, with a port, announces that we are one. `found` hears of peers as they come, all of
   * them allowed. Resolves with how many of the nearest nodes were reached.
   */
  async findPeers(
    key: SwarmKey,
    { announcePort, signal }: { readonly announcePort?: number; readonly signal: AbortSignal },
    found: (peers: readonly PeerAddress[]) => void,
  ): Promise<number> {
    const own = this.#store.peers(key, MAX_TOLD_PEERS, this.#nowMs());
    if (own.length > 0) found(own);
    const question = { method: 'get_peers', swarmKey: key } as const;
    const reached = await this.#walk(fromHex(key), question, signal, (answer) => {
      const peers = answer.peers.filter((peer) => this.#ports.allowAddress(peer, 'told'));
      if (peers.length > 0 && !signal.aborted) found(peers);
    });
    if (announcePort !== undefined && !signal.aborted) await this.#announce(key, announcePort, reached);
    return reached.length;
  }

  /** Ends every question and task, and closes the socket. */
  async stop(): Promise<void> {
    this.#queries.stop();
    await this.#tasks.stop();
    await this.#ports.socket.close();
  }

  // Asking.

  async #announce(swarmKey: SwarmKey, port: number, reached: readonly Reached[]): Promise<void> {
    const asked = reached.flatMap(({ contact, token }) =>
      token === undefined ? [] : [this.#ask(contact, { method: 'announce_peer', swarmKey, port, token })],
    );
    await Promise.all(asked);
  }

  #walk(
    target: Uint8Array,
    question: KrpcQuestion,
    signal: AbortSignal,
    answered: (answer: KrpcAnswer) => void = () => undefined,
  ): Promise<readonly Reached[]> {
    return walk({
      target,
      start: this.#table.closest(target),
      allows: ({ id, address }) =>
        !equalBytes(id, this.id) && this.#ports.allowAddress(address, 'told') && this.#isOurFamily(address),
      ask: async (contact) => {
        const answer = await this.#ask(contact, question);
        if (answer !== undefined) answered(answer);
        return answer;
      },
      signal: AbortSignal.any([signal, this.#tasks.signal]),
    });
  }

  /** Asks a contact, and remembers whether it lives. */
  async #ask(contact: DhtContact, question: KrpcQuestion): Promise<KrpcAnswer | undefined> {
    const answer = await this.#askAt(contact.address, question);
    if (answer === undefined) this.#table.failed(contact.id);
    return answer;
  }

  async #askAt(address: PeerAddress, question: KrpcQuestion): Promise<KrpcAnswer | undefined> {
    const answer = await this.#queries.ask(address, (transactionId) =>
      this.#send({ kind: 'query', transactionId, senderId: this.id, isReadOnly: false, question }, address),
    );
    if (answer === undefined) return undefined;
    const silent = this.#table.answered({ id: answer.senderId, address }, this.#nowMs());
    if (silent !== undefined) this.#check(silent.address, silent);
    return answer;
  }

  /** Pings in the background, a few at a time. */
  #check(address: PeerAddress, contact?: DhtContact): void {
    if (!this.#isOurFamily(address) || this.#queries.isAsking(address)) return;
    const household = householdOf(address.host);
    const own = this.#checks.filter((other) => other === household).length;
    if (this.#checks.length >= MAX_CHECKS || own >= MAX_CHECKS_PER_HOUSEHOLD) return;
    this.#checks.push(household);
    this.#tasks.run('dht.check', async () => {
      const answer = await this.#askAt(address, { method: 'ping' });
      this.#checks.splice(this.#checks.indexOf(household), 1);
      if (answer === undefined && contact !== undefined) this.#table.failed(contact.id);
    });
  }

  // Staying.

  /** Finds our neighbours, from the bootstrap nodes on. */
  async #join(): Promise<void> {
    const question = { method: 'find_node', target: this.id } as const;
    const own = (await this.#bootstrap(this.#tasks.signal)).filter((address) => this.#isOurFamily(address));
    await Promise.all(own.map((address) => this.#askAt(address, question)));
    await this.#walk(this.id, question, this.#tasks.signal);
    this.#ports.log.info('dht.joined', { nodes: this.size, family: this.#ports.socket.family });
  }

  async #tend(): Promise<void> {
    if (this.size === 0) await this.#join();
    const silent = this.#table.questionable(this.#nowMs(), PINGS_PER_MINUTE);
    await Promise.all(silent.map((contact) => this.#ask(contact, { method: 'ping' })));
    const target = randomBytes(NODE_ID_BYTES);
    await this.#walk(target, { method: 'find_node', target }, this.#tasks.signal);
  }

  // Answering.

  #receive(bytes: Uint8Array, sender: PeerAddress): void {
    const from = { host: formatIp(parseIp(sender.host)), port: sender.port };
    try {
      const message = decodeKrpc(bytes);
      if (message === undefined) return;
      if (message.kind !== 'query') this.#queries.received(message, from);
      else if (this.#ports.allowAddress(from, 'observed') && this.#answered.takes(householdOf(from.host)))
        this.#answer(message, from);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#ports.log.debug('dht.packet_refused', { code: error.code });
    }
  }

  #answer(query: KrpcQuery, from: PeerAddress): void {
    if (equalBytes(query.senderId, this.id)) return; // ourselves, by a roundabout way
    const { question } = query;
    if (!query.isReadOnly && this.#table.wants(query.senderId)) this.#check(from);
    switch (question.method) {
      case 'ping':
        return this.#say(query, from, {});
      case 'find_node':
        return this.#say(query, from, { contacts: this.#tellable(question.target) });
      case 'get_peers':
        return this.#say(query, from, {
          contacts: this.#tellable(fromHex(question.swarmKey)),
          peers: this.#store.peers(question.swarmKey, MAX_TOLD_PEERS, this.#nowMs()),
          token: this.#tokens.issue(from.host),
        });
      case 'announce_peer': {
        if (!this.#tokens.accepts(question.token, from.host)) return this.#refuse(query, from, 'bad token');
        const peer = { host: from.host, port: question.port ?? from.port };
        if (this.#ports.allowAddress(peer, 'told')) this.#store.add(question.swarmKey, peer, this.#nowMs());
        return this.#say(query, from, {});
      }
    }
  }

  #tellable(target: Uint8Array): DhtContact[] {
    return this.#table.closest(target).filter(({ address }) => this.#ports.allowAddress(address, 'told'));
  }

  #say({ transactionId }: KrpcQuery, to: PeerAddress, body: Partial<KrpcAnswer>): void {
    const nothing = { contacts: [], peers: [], token: undefined };
    this.#send({ ...nothing, ...body, kind: 'answer', transactionId, senderId: this.id }, to);
  }

  #refuse({ transactionId }: KrpcQuery, to: PeerAddress, reason: string): void {
    this.#send({ kind: 'error', transactionId, code: KRPC_ERROR.protocol, reason }, to);
  }

  #send(message: KrpcMessage, to: PeerAddress): void {
    this.#ports.socket.send(encodeKrpc(message), to);
  }

  #isOurFamily({ host }: PeerAddress): boolean {
    return (this.#ports.socket.family === 'v6') === host.includes(':');
  }

  #nowMs(): number {
    return this.#ports.clock.monotonicMs();
  }
}
