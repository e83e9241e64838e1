/**
 * The DHT as a process has it: a node for each address family, its bootstrap nodes, and the search for torrents' peers.
 * Nobody is contacted but who is named in `bootstrap`, and by whom they lead to.
 */
import { openUdpSocket } from '../../adapters/dht/udp-socket.ts';
import type { Guard } from '../../adapters/guard/guard.ts';
import type { PeerAddress } from '../../base/address.ts';
import { endInTurn, endTogether } from '../../base/endings.ts';
import { AppError, InvalidInput } from '../../base/errors.ts';
import type { SwarmKey } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import { TaskGroup } from '../../base/tasks.ts';
import { MINUTE_MS } from '../../base/units.ts';
import type { AddressFamily } from '../../codec/krpc.ts';
import { DhtNode } from '../../dht/dht-node.ts';
import { decodeMemory, type DhtMemory, encodeMemory } from '../../dht/memory.ts';
import { SwarmSearch } from '../../dht/swarm-search.ts';
import type { DhtLink, Torrent } from '../../torrent/index.ts';

/** Keeps what nodes remember from one start to the next: a few kilobytes for each address family. */
export interface DhtKeeper {
  load(family: AddressFamily): Uint8Array | undefined;
  save(family: AddressFamily, memory: Uint8Array): Promise<void>;
}

const SAVE_MS = 10 * MINUTE_MS;

export interface DhtOptions {
  /** IP literals to listen on, one a family. */
  readonly hosts: readonly string[];
  /** UDP; 0 = any. */
  readonly port: number;
  /** `host:port`, names allowed. */
  readonly bootstrap: readonly string[];
  /** Whether to ask only and answer nobody (BEP 43), as suits who soon leaves. Default false. */
  readonly isReadOnly?: boolean;
  /** Undefined: each start begins with the bootstrap nodes. */
  readonly keeper?: DhtKeeper;
  readonly guard: Guard;
  readonly log: Log;
}

export class Dht implements DhtLink {
  readonly #nodes: readonly DhtNode[];
  readonly #search: SwarmSearch;
  readonly #keeper: DhtKeeper | undefined;
  readonly #log: Log;
  readonly #saving: TaskGroup;

  private constructor(nodes: readonly DhtNode[], { guard, log, keeper }: DhtOptions) {
    this.#nodes = nodes;
    this.#keeper = keeper;
    this.#log = log;
    this.#saving = new TaskGroup(log);
    if (keeper !== undefined) this.#saving.every('dht.save', SAVE_MS, guard.clock, () => this.#save());
    this.#search = new SwarmSearch({ nodes, clock: guard.clock, log, random: Math.random });
  }

  /** @throws Unavailable when a port is taken, InvalidInput for a bootstrap node that is none */
  static async open(options: DhtOptions): Promise<Dht> {
    const { guard, log, isReadOnly, keeper } = options;
    const places = options.bootstrap.map(parsePlace);
    const allowAddress = (...asked: Parameters<typeof guard.policy.allowsPeer>): boolean =>
      guard.policy.allowsPeer(...asked);
    const nodes: DhtNode[] = [];
    try {
      for (const host of options.hosts) {
        const socket = await openUdpSocket(host, options.port);
        const ports = { socket, clock: guard.clock, log, allowAddress };
        nodes.push(
          new DhtNode({
            ports,
            bootstrap: (signal) => resolveAll(places, guard, log, signal),
            remembered: recall(keeper, socket.family, log),
            isReadOnly,
          }),
        );
      }
      const [one, other] = nodes;
      if (one !== undefined && other !== undefined) {
        one.pairWith(other);
        other.pairWith(one);
      }
      return new Dht(nodes, options);
    } catch (error) {
      await Promise.all(nodes.map((node) => node.stop()));
      throw error;
    }
  }

  /** UDP port of the first family's node. */
  get port(): number {
    return this.#nodes[0]?.address.port ?? 0;
  }

  /** Nodes known, all families together. */
  get size(): number {
    return this.#nodes.reduce((sum, node) => sum + node.size, 0);
  }

  heardOf(address: PeerAddress): void {
    for (const node of this.#nodes) node.addNode(address);
  }

  /** Looks for peers of the torrent and announces it at our TCP port; never once it is known to be private (BEP 27). */
  find(torrent: Torrent, announcePort: number, keys: readonly SwarmKey[] = torrent.keys): () => void {
    const removals = keys.map((key) =>
      this.#search.add({
        key,
        announcePort,
        isAllowed: () => !torrent.isStopped && torrent.info?.isPrivate !== true,
        found: (peers) => torrent.addPeers(peers, 'told'),
      }),
    );
    return () => {
      for (const remove of removals) remove();
    };
  }

  async stop(): Promise<void> {
    await endInTurn([
      () => this.#search.stop(),
      () => this.#saving.stop(),
      () => this.#save().catch((error: unknown) => this.#log.warn('dht.not_saved', { error })),
      () => endTogether(this.#nodes.map((node) => node.stop())),
    ]);
  }

  /** Where nobody is known, what was known before stays. */
  async #save(): Promise<void> {
    for (const { family, memory } of this.#nodes)
      if (memory !== undefined) await this.#keeper?.save(family, encodeMemory(memory));
  }
}

function recall(keeper: DhtKeeper | undefined, family: AddressFamily, log: Log): DhtMemory | undefined {
  try {
    const bytes = keeper?.load(family);
    return bytes && decodeMemory(bytes);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    log.warn('dht.memory_refused', { family, code: error.code });
    return undefined;
  }
}

interface Place {
  readonly host: string;
  readonly port: number;
}

/** `host:port` or `[2001:db8::1]:6881`. @throws InvalidInput */
function parsePlace(text: string): Place {
  const [, v6, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = v6 ?? name;
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new InvalidInput(`a DHT node is a host and a port, such as dht.example:6881, not ${text}`);
  return { host, port: Number(port) };
}

/** A person named them: they may lie anywhere, and their neighbours may name them. */
async function resolveAll(
  places: readonly Place[],
  guard: Guard,
  log: Log,
  signal: AbortSignal,
): Promise<readonly PeerAddress[]> {
  const found = await Promise.all(
    places.map(async ({ host, port }) => {
      try {
        const addresses = await guard.addressesOf(host, 'judged', signal);
        for (const address of addresses) guard.policy.trust(address);
        return addresses.map((address) => ({ host: address, port }));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        log.info('dht.bootstrap_failed', { host, code: error.code });
        return [];
      }
    }),
  );
  return found.flat();
}
