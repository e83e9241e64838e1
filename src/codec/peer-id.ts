/** Peer ids (BEP 20): ours, and what the ids of others say about their client. */
import { randomBytes, toLatin1 } from '../base/bytes.ts';

/** Length of a peer id (BEP 3, 20). */
export const PEER_ID_BYTES = 20;
const OUR_PREFIX = '-SB0100-';
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-';

/** A fresh id of 20 printable bytes: `-SB0100-` and 72 random bits. */
export function createPeerId(): Uint8Array<ArrayBuffer> {
  const id = new Uint8Array(PEER_ID_BYTES);
  for (let at = 0; at < OUR_PREFIX.length; at++) id[at] = OUR_PREFIX.charCodeAt(at);
  const random = randomBytes(PEER_ID_BYTES - OUR_PREFIX.length);
  for (const [at, byte] of random.entries()) id[OUR_PREFIX.length + at] = ALPHABET.charCodeAt(byte & 63);
  return id;
}

const CLIENTS: Readonly<Record<string, string>> = {
  A2: 'aria2',
  AG: 'Ares',
  AZ: 'Vuze',
  BC: 'BitComet',
  BI: 'BiglyBT',
  BT: 'BitTorrent',
  DE: 'Deluge',
  FD: 'Free Download Manager',
  KG: 'KGet',
  KT: 'KTorrent',
  LT: 'libtorrent',
  PI: 'PicoTorrent',
  SB: 'Seedbed',
  TL: 'Tribler',
  TR: 'Transmission',
  TX: 'Tixati',
  UM: 'µTorrent Mac',
  UT: 'µTorrent',
  UW: 'µTorrent Web',
  WD: 'WebTorrent Desktop',
  WW: 'WebTorrent',
  lt: 'rTorrent',
  qB: 'qBittorrent',
};

/** Client name and version for display, `unknown client` where the id says nothing. The peer may lie. */
export function peerClientName(peerId: Uint8Array): string {
  const text = toLatin1(peerId.subarray(0, 8));
  const azureus = /^-([A-Za-z~0-9]{2})([0-9A-Za-z]{4})-$/.exec(text);
  if (azureus) {
    const [, code = '', version = ''] = azureus;
    return `${CLIENTS[code] ?? code} ${Array.from(version, (digit) => Number.parseInt(digit, 36)).join('.')}`;
  }
  const aria2 = /^A2-(\d+)-(\d+)-/.exec(text);
  if (aria2) return `aria2 ${aria2[1] ?? ''}.${aria2[2] ?? ''}`;
  const mainline = /^M(\d+)-(\d+)-(\d+)/.exec(text);
  return mainline ? `BitTorrent ${mainline.slice(1).join('.')}` : 'unknown client';
}
