/** Which URLs an outgoing request may go to, before any name is resolved. */
import type { AddressSource } from '../../base/address-policy.ts';
import { FetchFailed } from './fetch-failed.ts';

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443, 'ws:': 80, 'wss:': 443 };
/** Of the browsers' list of ports that no web request goes to, those from 1,024 on. */
const FOREIGN_SERVICES = new Set([
  1_719, 1_720, 1_723, 2_049, 3_659, 4_045, 4_190, 5_060, 5_061, 6_000, 6_566, 6_665, 6_666, 6_667, 6_668, 6_669, 6_679,
  6_697, 10_080,
]);

/** Reads an http(s) URL, relative to `base` where given. @throws FetchFailed */
export function parseTarget(text: string, base?: URL): URL {
  const url = URL.parse(text, base);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw new FetchFailed('url');
  return url;
}

/** Strangers name no user, and no port of another kind of service. @throws FetchFailed */
export function checkTarget(url: URL, source: AddressSource): void {
  if (url.hostname === '' || url.username !== '' || url.password !== '') throw new FetchFailed('url');
  const port = portOf(url);
  const isDefault = port === DEFAULT_PORTS[url.protocol];
  if (source !== 'judged' && !isDefault && (port < 1_024 || FOREIGN_SERVICES.has(port))) throw new FetchFailed('port');
}

/** The port a URL means; 0 where neither it nor its scheme names one. */
export function portOf(url: URL): number {
  return url.port === '' ? (DEFAULT_PORTS[url.protocol] ?? 0) : Number(url.port);
}

/** The host without the brackets of IPv6. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}
