/**
 * Under which address a peer reaches our own seeder: what the tracker puts into peer lists for the server itself. Pure.
 */
import type { NetworkInterfaceInfo } from 'node:os';
import { BlockList, isIP } from 'node:net';

export interface OwnNetwork {
  /** What we listen on; `0.0.0.0` or `::` mean every interface. */
  readonly listenHost: string;
  readonly interfaces: readonly Pick<NetworkInterfaceInfo, 'address' | 'family' | 'cidr' | 'internal'>[];
  /** Addresses behind the public URL's name, resolved by our own resolver. */
  readonly publicAddresses: readonly string[];
}

/** An IP literal that `remoteHost` can dial, or undefined when there is none. */
export function addressReachableFrom(remoteHost: string, network: OwnNetwork): string | undefined {
  const remote = remoteHost.replace(/^::ffff:(?=\d+\.)/, '');
  const family = isIP(remote) === 6 ? 'IPv6' : 'IPv4';
  if (!isAnyHost(network.listenHost))
    return isLoopback(network.listenHost) === isLoopback(remote) ? network.listenHost : undefined;
  if (isLoopback(remote)) return family === 'IPv6' ? '::1' : '127.0.0.1';
  const neighbour = network.interfaces.find(
    (own) => own.family === family && !own.internal && sharesSubnet(own.cidr, remote),
  );
  if (neighbour !== undefined) return neighbour.address;
  return network.publicAddresses.find(
    (address) => (isIP(address) === 6) === (family === 'IPv6') && !isLoopback(address),
  );
}

export function isAnyHost(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** Whether an IP literal or the name `localhost` means this machine. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address === 'localhost' || address.startsWith('127.');
}

function sharesSubnet(cidr: string | null, address: string): boolean {
  const [network, prefix] = cidr?.split('/') ?? [];
  if (network === undefined || prefix === undefined) return false;
  const type = isIP(network) === 6 ? 'ipv6' : 'ipv4';
  const subnet = new BlockList();
  subnet.addSubnet(network, Number(prefix), type);
  return subnet.check(address, type);
}
