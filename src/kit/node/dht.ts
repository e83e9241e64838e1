/**
 * The DHT as a process has it: a node for each address family, its bootstrap nodes, and the search for torrents' peers.
 * Nobody is contacted but who is named in `bootstrap`, and by whom they lead to.
 */
import { openUdpSocket } from '../../adapters/dht/udp-socket.ts';
import type { Guard } from '../../adapters/guard/guard.ts';
import type { PeerAddress } from '../../base/address.ts';
import { AppError, InvalidInput } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { DhtNode } from '../../dht/dht-node.ts';
import { SwarmSearch } from '../../dht/swarm-search.ts';
import type { DhtLink, Torrent } from '../../torrent/index.ts';

export interface DhtOptions {
  /** IP literals to listen on, one a family. */
  readonly hosts: readonly string[];
  /** UDP; 0 = any. */
  readonly port: number;
  /** `host:port`, names allowed. */
  readonly bootstrap: readonly string[];
  readonly guard: Guard;
  readonly log: Log;
}

export class Dht implements DhtLink {
  readonly #nodes: readonly DhtNode[];
  readonly #search: SwarmSearch;

  private constructor(nodes: readonly DhtNode[], { guard, log }: DhtOptions) {
    this.#nodes = nodes;
    this.#search = new SwarmSearch({ nodes, clock: guard.clock, log, random: Math.random });
  }

  /** @throws Unavailable when a port is taken, InvalidInput for a bootstrap node that is none */
  static async open(options: DhtOptions): Promise<Dht> {
    const { guard, log } = options;
    const places = options.bootstrap.map(parsePlace);
    const allowAddress = (...asked: Parameters<typeof guard.policy.allowsPeer>): boolean =>
      guard.policy.allowsPeer(...asked);
    const nodes: DhtNode[] = [];
    try {
      for (const host of options.hosts) {
        const socket = await openUdpSocket(host, options.port);
        const ports = { socket, clock: guard.clock, log, allowAddress };
        nodes.push(new DhtNode({ ports, bootstrap: (signal) => resolveAll(places, guard, log, signal) }));
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
  find(torrent: Torrent, announcePort: number): () => void {
    const removals = torrent.keys.map((key) =>
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
    await this.#search.stop();
    await Promise.all(this.#nodes.map((node) => node.stop()));
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
