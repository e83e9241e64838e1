/** Announces of local service discovery (BEP 14): a request without an answer, in the clothes of HTTP. */
import { fromUtf8, utf8 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { parseSwarmKey, type SwarmKey } from '../base/ids.ts';

/** Fits one packet with room to spare; libtorrent and others send one hash, the paper allows many. */
export const MAX_LSD_KEYS = 20;
const MAX_PACKET_BYTES = 1_500;
const MAX_COOKIE_LENGTH = 64;

export interface LsdAnnounce {
  /** TCP port on which the sender takes peers. */
  readonly port: number;
  readonly swarmKeys: readonly SwarmKey[];
  /** By which the sender knows its own packets. */
  readonly cookie?: string;
}

/** Writes one packet for the group `host`. */
export function encodeLsd(host: string, { port, swarmKeys, cookie }: LsdAnnounce): Uint8Array<ArrayBuffer> {
  const lines = [
    'BT-SEARCH * HTTP/1.1',
    `Host: ${host}`,
    `Port: ${port}`,
    ...swarmKeys.slice(0, MAX_LSD_KEYS).map((key) => `Infohash: ${key}`),
    ...(cookie === undefined ? [] : [`cookie: ${cookie}`]),
  ];
  return utf8(`${lines.join('\r\n')}\r\n\r\n\r\n`);
}

/** Reads one packet; unknown headers are skipped. @throws InvalidInput */
export function decodeLsd(bytes: Uint8Array): LsdAnnounce {
  if (bytes.length > MAX_PACKET_BYTES) throw new InvalidInput('local announce too long', { length: bytes.length });
  const [request, ...headers] = fromUtf8(bytes).split('\r\n');
  if (request !== 'BT-SEARCH * HTTP/1.1') throw new InvalidInput('not a local announce');
  const swarmKeys: SwarmKey[] = [];
  let [port, cookie]: [number, string | undefined] = [0, undefined];
  for (const header of headers) {
    const [, name = '', value = ''] = /^([A-Za-z-]{1,32}):\s*(.*?)\s*$/.exec(header) ?? [];
    switch (name.toLowerCase()) {
      case 'port':
        port = /^\d{1,5}$/.test(value) ? Number(value) : 0;
        break;
      case 'infohash':
        if (swarmKeys.length < MAX_LSD_KEYS) swarmKeys.push(parseSwarmKey(value.toLowerCase()));
        break;
      case 'cookie':
        cookie = value.slice(0, MAX_COOKIE_LENGTH);
        break;
    }
  }
  if (port < 1 || port > 65_535) throw new InvalidInput('no such port', { port });
  if (swarmKeys.length === 0) throw new InvalidInput('a local announce without a torrent');
  return { port, swarmKeys, ...(cookie !== undefined && { cookie }) };
}
