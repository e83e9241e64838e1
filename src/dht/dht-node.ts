/**
 * One node of the DHT (BEP 5) in one address family: finds and announces peers, answers others. Its id follows from the
 * address at which others see it (BEP 42). Invariants: no address is contacted, told on or stored that the filter refuses;
 * every table, store and rate is bounded; nothing that comes in can throw; after `stop` nothing is left.
 */
import { formatIp, householdOf, parseIp, type PeerAddress } from '../base/address.ts';
import { equalBytes, fromHex, randomBytes } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { FairRate } from '../base/fair-rate.ts';
import type { SwarmKey } from '../base/ids.ts';
import { TaskGroup } from '../base/tasks.ts';
import { MINUTE_MS } from '../base/units.ts';
import {
  type AddressFamily,
  decodeKrpc,
  type DhtContact,
  encodeKrpc,
  type KrpcAnswer,
  type KrpcMessage,
  type KrpcQuery,
  type KrpcQuestion,
  NODE_ID_BYTES,
} from '../codec/krpc.ts';
import { AddressVote } from './address-vote.ts';
import { Answering } from './answering.ts';
import { type Reached, walk } from './lookup.ts';
import { type DhtMemory, MAX_REMEMBERED } from './memory.ts';
import { bindNodeId, isBoundTo } from './node-id.ts';
import type { DhtPorts } from './ports.ts';
import { Queries } from './queries.ts';
import { RoutingTable } from './routing-table.ts';

const TEND_MS = MINUTE_MS;
const PINGS_PER_MINUTE = 16;
const MAX_CHECKS = 16;
const MAX_CHECKS_PER_HOUSEHOLD = 2;
/** Questions of others that are answered in a second. */
const ANSWERED = { perNeighbour: 50, all: 500 };
/** An id holds so long at least, whatever others say of our address. */
const ID_KEPT_MS = 10 * MINUTE_MS;
/** Remembered nodes asked at the start, all at once. */
const MAX_GREETED = 32;

export interface DhtNodeOptions {
  readonly ports: DhtPorts;
  /** Judged addresses of nodes to begin with, asked for whenever nobody else is known; may be empty. */
  readonly bootstrap: (signal: AbortSignal) => Promise<readonly PeerAddress[]>;
  /** From an earlier start: while nodes of it live, bootstrap nodes are left in peace. */
  readonly remembered?: DhtMemory | undefined;
  /** Whether to ask only and answer nobody (BEP 43), as suits who soon leaves. Default false. */
  readonly isReadOnly?: boolean | undefined;
}

export class DhtNode {
  readonly #ports: DhtPorts;
  readonly #bootstrap: DhtNodeOptions['bootstrap'];
  readonly #remembered: DhtMemory | undefined;
  readonly #isReadOnly: boolean;
  readonly #tasks: TaskGroup;
  readonly #queries: Queries;
  readonly #answered: FairRate;
  readonly #answering: Answering;
  readonly #vote = new AddressVote();
  #id: Uint8Array;
  #idSinceMs = Number.NEGATIVE_INFINITY;
  #table: RoutingTable;
  #twin: DhtNode | undefined;
  /** Households of those being pinged. */
  readonly #checks: string[] = [];

  constructor({ ports, bootstrap, remembered, isReadOnly = false }: DhtNodeOptions) {
    this.#ports = ports;
    this.#bootstrap = bootstrap;
    this.#remembered = remembered;
    this.#isReadOnly = isReadOnly;
    this.#id = remembered?.id ?? bindNodeId(randomBytes(NODE_ID_BYTES), ports.socket.address.host);
    this.#table = new RoutingTable(this.#id);
    this.#tasks = new TaskGroup(ports.log);
    this.#queries = new Queries(ports.clock);
    this.#answered = new FairRate(ports.clock, ANSWERED);
    this.#answering = new Answering({
      ports,
      closest: (target, family) => (family === ports.socket.family ? this : this.#twin)?.closest(target) ?? [],
    });
    ports.socket.listen((bytes, from) => this.#receive(bytes, from));
    this.#tasks.run('dht.join', () => this.#join());
    this.#tasks.every('dht.tend', TEND_MS, ports.clock, () => this.#tend());
  }

  /** 20 bytes; another one once others agree that our address is not the one it is bound to. */
  get id(): Uint8Array {
    return this.#id;
  }

  /** Where other nodes reach us. */
  get address(): PeerAddress {
    return this.#ports.socket.address;
  }

  get family(): AddressFamily {
    return this.#ports.socket.family;
  }

  /** Nodes in the routing table. */
  get size(): number {
    return this.#table.size;
  }

  /** What to remember for the next start; undefined where nobody is known. */
  get memory(): DhtMemory | undefined {
    return this.size === 0 ? undefined : { id: this.#id, contacts: this.#table.latest(MAX_REMEMBERED) };
  }

  /** Tells our node of the other address family to whoever asks for it, and it of nodes we hear of (BEP 32). */
  pairWith(twin: DhtNode): void {
    this.#twin = twin;
  }

  /** A node somebody told us of, such as by a PORT message; asked whether it lives. */
  addNode(address: PeerAddress): void {
    if (this.#ports.allowAddress(address, 'told')) this.#check(address);
  }

  /** The known nodes nearest to a target that may be told on. */
  closest(target: Uint8Array): readonly DhtContact[] {
    return this.#table.closest(target).filter(({ address }) => this.#ports.allowAddress(address, 'told'));
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
    const own = this.#answering.peers(key);
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
        !equalBytes(id, this.#id) && this.#ports.allowAddress(address, 'told') && this.#isOurFamily(address),
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
      this.#send({ kind: 'query', transactionId, senderId: this.#id, isReadOnly: this.#isReadOnly, question }, address),
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
      const answer = await this.#askAt(address, { method: 'ping' }).finally(() =>
        this.#checks.splice(this.#checks.indexOf(household), 1),
      );
      if (answer === undefined && contact !== undefined) this.#table.failed(contact.id);
    });
  }

  // Staying.

  /** Finds our neighbours, from those we remember or else from the bootstrap nodes on. */
  async #join(): Promise<void> {
    const known = (this.#remembered?.contacts ?? []).map(({ address }) => address);
    await this.#greet(known.filter((address) => this.#ports.allowAddress(address, 'told')).slice(0, MAX_GREETED));
    if (this.size === 0) await this.#greet(await this.#bootstrap(this.#tasks.signal));
    await this.#findNeighbours();
    this.#ports.log.info('dht.joined', { nodes: this.size, family: this.family });
  }

  async #greet(addresses: readonly PeerAddress[]): Promise<void> {
    const question = { method: 'find_node', target: this.#id } as const;
    const own = addresses.filter((address) => this.#isOurFamily(address));
    await Promise.all(own.map((address) => this.#askAt(address, question)));
  }

  async #findNeighbours(): Promise<void> {
    const question = { method: 'find_node', target: this.#id } as const;
    if (this.#twin === undefined) return void (await this.#walk(this.#id, question, this.#tasks.signal));
    const both = { ...question, want: ['v4', 'v6'] } as const;
    await this.#walk(this.#id, both, this.#tasks.signal, ({ contacts }) => {
      for (const { address } of contacts) if (!this.#isOurFamily(address)) this.#twin?.addNode(address);
    });
  }

  async #tend(): Promise<void> {
    if (this.size === 0) await this.#join();
    const silent = this.#table.questionable(this.#nowMs(), PINGS_PER_MINUTE);
    await Promise.all(silent.map((contact) => this.#ask(contact, { method: 'ping' })));
    const target = randomBytes(NODE_ID_BYTES);
    await this.#walk(target, { method: 'find_node', target }, this.#tasks.signal);
  }

  /** Others see us at this address: once enough agree, our id is bound to it. */
  #seenAt(host: string, by: PeerAddress): void {
    this.#vote.add(by.host, host);
    const own = this.#vote.winner;
    if (own === undefined || isBoundTo(own, this.#id) || this.#nowMs() - this.#idSinceMs < ID_KEPT_MS) return;
    this.#id = bindNodeId(randomBytes(NODE_ID_BYTES), own);
    this.#idSinceMs = this.#nowMs();
    this.#table = this.#table.under(this.#id);
    this.#ports.log.info('dht.id_bound', { address: own });
    this.#tasks.run('dht.rejoin', () => this.#findNeighbours());
  }

  // Answering.

  #receive(bytes: Uint8Array, sender: PeerAddress): void {
    const from = { host: formatIp(parseIp(sender.host)), port: sender.port };
    try {
      const message = decodeKrpc(bytes);
      if (message === undefined) return;
      if (message.kind === 'query') this.#hear(message, from);
      else if (this.#queries.received(message, from) && message.observed !== undefined)
        this.#seenAt(message.observed.host, from);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#ports.log.debug('dht.packet_refused', { code: error.code });
    }
  }

  #hear(query: KrpcQuery, from: PeerAddress): void {
    if (this.#isReadOnly || equalBytes(query.senderId, this.#id)) return; // ourselves, by a roundabout way
    if (!this.#ports.allowAddress(from, 'observed') || !this.#answered.takes(householdOf(from.host))) return;
    if (!query.isReadOnly && this.#table.wants({ id: query.senderId, address: from })) this.#check(from);
    this.#send(this.#answering.answer(query, from, this.#id), from);
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
