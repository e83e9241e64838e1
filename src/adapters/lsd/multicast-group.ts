/**
 * One socket in a group of local service discovery (BEP 14), in one address family. Packets go one hop and no further. After
 * `close` nothing is left.
 */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { isIPv4, isIPv6 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';
import { formatIp, parseIp, type PeerAddress } from '../../base/address.ts';
import { Unavailable } from '../../base/errors.ts';

type Family = 'v4' | 'v6';

const GROUPS = { v4: '239.192.152.143', v6: 'ff15::efc0:988f' } as const;

/** Where a group is joined. */
export interface GroupPlace {
  readonly family: Family;
  /** What names the interface to the system: an IPv4 address, or `::%` and its name; undefined: the system's choice. */
  readonly onInterface: string | undefined;
}

/**
 * The groups to join for peers who listen at `host`, an IP literal or undefined for all: where nobody listens, nobody is
 * told to come.
 */
export function placesFor(
  host: string | undefined,
  interfaces: NodeJS.Dict<readonly Pick<NetworkInterfaceInfo, 'address'>[]>,
): readonly GroupPlace[] {
  if (host === undefined || host === '::')
    return (['v4', 'v6'] as const).map((family) => ({ family, onInterface: undefined }));
  if (host === '0.0.0.0') return [{ family: 'v4', onInterface: undefined }];
  if (!isIPv6(host)) return [{ family: 'v4', onInterface: host }];
  const own = formatIp(parseIp(host));
  const named = Object.entries(interfaces).find(([, addresses]) =>
    addresses?.some(({ address }) => isSame(address, own)),
  );
  return named === undefined ? [] : [{ family: 'v6', onInterface: `::%${named[0]}` }];
}

function isSame(address: string, host: string): boolean {
  return (isIPv4(address) || isIPv6(address)) && !address.includes('%') && formatIp(parseIp(address)) === host;
}

export class MulticastGroup {
  readonly family: Family;
  readonly #socket: dgram.Socket;
  readonly #port: number;

  private constructor(socket: dgram.Socket, family: Family, port: number) {
    this.#socket = socket;
    this.family = family;
    this.#port = port;
  }

  /** @throws Unavailable where the group cannot be joined */
  static async join({ family, onInterface }: GroupPlace, port: number): Promise<MulticastGroup> {
    const socket =
      family === 'v4'
        ? dgram.createSocket({ type: 'udp4', reuseAddr: true })
        : dgram.createSocket({ type: 'udp6', reuseAddr: true, ipv6Only: true });
    try {
      socket.bind(port, family === 'v4' ? '0.0.0.0' : '::'); // the group's port is everybody's
      await once(socket, 'listening');
      socket.addMembership(GROUPS[family], onInterface);
      if (onInterface !== undefined) socket.setMulticastInterface(onInterface);
      socket.setMulticastTTL(1);
      return new MulticastGroup(socket, family, port);
    } catch (error) {
      socket.close();
      throw new Unavailable('local discovery is not possible here', { family, onInterface }, { cause: error });
    }
  }

  /** As packets name it: `239.192.152.143:6771`. */
  get name(): string {
    return this.family === 'v4' ? `${GROUPS.v4}:${this.#port}` : `[${GROUPS.v6}]:${this.#port}`;
  }

  /** Sets what hears packets and what fails. The host is an IP literal without its zone. */
  listen(received: (bytes: Uint8Array, from: PeerAddress) => void, failed: (error: Error) => void): void {
    this.#socket.on('error', failed);
    this.#socket.on('message', (bytes, { address, port }) =>
      received(bytes, { host: formatIp(parseIp(address.split('%', 1).join(''))), port }),
    );
  }

  /** Sends or loses. */
  send(packet: Uint8Array): void {
    this.#socket.send(packet, this.#port, GROUPS[this.family], () => undefined);
  }

  async close(): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }
}
