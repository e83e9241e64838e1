/**
 * What kind of bytes these are, told from the bytes alone, never from a name. Pure. Invariant: anything unknown is
 * `application/octet-stream`, and whatever a browser might run (HTML, SVG, XML) is recognised as that before it could
 * pass as plain text.
 */

import { toLatin1 } from '../base/bytes.ts';

/** As many first bytes as `sniff` looks at. */
export const SNIFF_BYTES = 4096;
export const UNKNOWN_TYPE = 'application/octet-stream';

interface Signature {
  readonly type: string;
  readonly at: number;
  /** Latin-1 text of the bytes. */
  readonly bytes: string;
}

/** Formats with fixed bytes at a fixed place, most specific first. */
const SIGNATURES: readonly Signature[] = [
  { type: 'image/png', at: 0, bytes: '\x89PNG\r\n\x1a\n' },
  { type: 'image/jpeg', at: 0, bytes: '\xff\xd8\xff' },
  { type: 'image/gif', at: 0, bytes: 'GIF87a' },
  { type: 'image/gif', at: 0, bytes: 'GIF89a' },
  { type: 'audio/flac', at: 0, bytes: 'fLaC' },
  { type: 'audio/mpeg', at: 0, bytes: 'ID3' },
  { type: 'application/pdf', at: 0, bytes: '%PDF-' },
  { type: 'application/zip', at: 0, bytes: 'PK\x03\x04' },
  { type: 'application/zip', at: 0, bytes: 'PK\x05\x06' },
  { type: 'application/gzip', at: 0, bytes: '\x1f\x8b\x08' },
  { type: 'application/x-7z-compressed', at: 0, bytes: '7z\xbc\xaf\x27\x1c' },
  { type: 'application/x-xz', at: 0, bytes: '\xfd7zXZ\0' },
  { type: 'application/zstd', at: 0, bytes: '\x28\xb5\x2f\xfd' },
  { type: 'application/vnd.rar', at: 0, bytes: 'Rar!\x1a\x07' },
  { type: 'application/x-tar', at: 257, bytes: 'ustar' },
  { type: 'video/quicktime', at: 4, bytes: 'moov' },
  { type: 'video/quicktime', at: 4, bytes: 'wide' },
  { type: 'video/quicktime', at: 4, bytes: 'mdat' },
];

/** ISO base media brands (ISO/IEC 14496-12) that are not plain `video/mp4`. */
const BRANDS: readonly (readonly [brand: RegExp, type: string])[] = [
  [/^avi[fs]$/, 'image/avif'],
  [/^(hei[cxms]|hev[cxms])$/, 'image/heic'],
  [/^qt {2}$/, 'video/quicktime'],
  [/^(M4A|M4B|M4P|F4A|F4B) $/, 'audio/mp4'],
  [/^3g[2p]/, 'video/3gpp'],
];

const RIFF_FORMS: Readonly<Record<string, string>> = {
  WEBP: 'image/webp',
  WAVE: 'audio/wav',
  'AVI ': 'video/x-msvideo',
};

/** The tags by which browsers take text for HTML (WHATWG MIME Sniffing §7.1), comments aside. */
const HTML_START =
  /^<(!doctype\s+html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|link|meta|img|form|base|object|embed)(?=[\s/>])/i;

/** MIME type of a file that begins with `head`; `isWhole` when there are no further bytes. */
export function sniff(head: Uint8Array, isWhole = head.length < SNIFF_BYTES): string {
  const text = toLatin1(head.subarray(0, SNIFF_BYTES));
  const known = SIGNATURES.find(({ at, bytes }) => text.startsWith(bytes, at));
  return known?.type ?? container(text) ?? mpegAudio(head) ?? textual(head, isWhole) ?? UNKNOWN_TYPE;
}

function container(text: string): string | undefined {
  if (text.startsWith('RIFF')) return RIFF_FORMS[text.slice(8, 12)];
  if (text.startsWith('ftyp', 4)) return isoMedia(text);
  if (text.startsWith('\x1aE\xdf\xa3')) return matroska(text);
  if (text.startsWith('OggS')) return text.slice(0, 512).includes('\x80theora') ? 'video/ogg' : 'audio/ogg';
  return undefined;
}

/** The major brand decides; the generic `mif1` and `msf1` leave it to the compatible ones. */
function isoMedia(text: string): string {
  const boxBytes = Math.min(sizeOfBox(text), 512, text.length);
  const brands = [text.slice(8, 12)];
  if (/^m[is]f1$/.test(text.slice(8, 12))) {
    for (let at = 16; at + 4 <= boxBytes; at += 4) brands.push(text.slice(at, at + 4));
  }
  for (const brand of brands) {
    const found = BRANDS.find(([pattern]) => pattern.test(brand));
    if (found !== undefined) return found[1];
  }
  return 'video/mp4';
}

function sizeOfBox(text: string): number {
  return [0, 1, 2, 3].reduce((size, at) => size * 256 + text.charCodeAt(at), 0);
}

/** DocType of the EBML header; where the track list lies in the first bytes, audio alone is called audio. */
function matroska(text: string): string | undefined {
  const docType = /webm|matroska/.exec(text.slice(0, 64))?.[0];
  const isAudio = /A_(OPUS|VORBIS|AAC|FLAC|MPEG)/.test(text) && !/V_[A-Z]/.test(text);
  if (docType === undefined) return undefined;
  return `${isAudio ? 'audio' : 'video'}/${docType === 'webm' ? 'webm' : 'x-matroska'}`;
}

/** A frame header: eleven sync bits and no reserved value; layer bits 00 mean ADTS (AAC). */
function mpegAudio(head: Uint8Array): string | undefined {
  const [sync = 0, flags = 0, rates = 0] = head;
  if (sync !== 0xff || (flags & 0xe0) !== 0xe0) return undefined;
  const isAdts = (flags & 0xf6) === 0xf0;
  if (isAdts) return ((rates >> 2) & 0xf) < 13 ? 'audio/aac' : undefined;
  const hasReserved = (flags & 0x18) === 0x08 || (flags & 0x06) === 0 || rates >> 4 === 15 || (rates & 0x0c) === 0x0c;
  return hasReserved ? undefined : 'audio/mpeg';
}

function textual(head: Uint8Array, isWhole: boolean): string | undefined {
  const text = decodeText(head, isWhole);
  if (text === undefined || head.length === 0) return undefined;
  const start = withoutPrologue(text);
  if (HTML_START.test(start)) return text.trimStart().startsWith('<?xml') ? 'application/xhtml+xml' : 'text/html';
  if (/^<svg(?=[\s/>])/i.test(start) || /^<!doctype\s+svg/i.test(start)) return 'image/svg+xml';
  if (/^\s*<\?xml/.test(text)) return 'application/xml';
  if (/^WEBVTT(?=[\s]|$)/.test(text)) return 'text/vtt';
  return looksLikeJson(text, isWhole) ? 'application/json' : 'text/plain';
}

/** Undefined for bytes that are not text: broken UTF-8 or control characters. A cut last character is no fault. */
function decodeText(head: Uint8Array, isWhole: boolean): string | undefined {
  const encoding =
    head[0] === 0xff && head[1] === 0xfe ? 'utf-16le' : head[0] === 0xfe && head[1] === 0xff ? 'utf-16be' : 'utf-8';
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(head, { stream: !isWhole });
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    return /[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** What follows white space, an XML declaration, comments, processing instructions and a doctype that is not HTML's. */
function withoutPrologue(text: string): string {
  let rest = text.trimStart();
  for (;;) {
    const skipped = /^(<\?[^>]*>|<!--[\s\S]*?-->|<!doctype\s+(?!html|svg)[^>[]*(\[[^\]]*\])?\s*>)\s*/i.exec(rest);
    if (skipped === null) return rest;
    rest = rest.slice(skipped[0].length);
  }
}

function looksLikeJson(text: string, isWhole: boolean): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  if (!isWhole) return /^\s*(\{\s*"|\[\s*[[{"\d-])/.test(text);
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Text formats without a signature, which no browser runs. */
const PLAIN_TEXT_KINDS = new Set([
  'text/markdown',
  'text/csv',
  'text/tab-separated-values',
  'application/x-subrip',
  'text/x-log',
]);
const ZIP_KINDS = /^application\/(epub\+zip|vnd\.(openxmlformats-officedocument|oasis\.opendocument)\.[a-z0-9.-]+)$/;

/**
 * The type to store: the sniffed one, refined by the declared one only within a family that browsers treat alike
 * (a container called audio or video, a kind of plain text, a kind of ZIP).
 */
export function mediumType(head: Uint8Array, sizeBytes: number, declaredType: string | undefined): string {
  const sniffed = sniff(head, head.length >= sizeBytes);
  const declared = declaredType?.split(';')[0]?.trim().toLowerCase() ?? '';
  const [kind = '', format = ''] = sniffed.split('/');
  if (kind === 'video' && declared === `audio/${format}`) return declared;
  if (sniffed === 'video/mp4' && declared === 'audio/x-m4a') return 'audio/mp4';
  if (sniffed === 'text/plain' && PLAIN_TEXT_KINDS.has(declared)) return declared;
  if (sniffed === 'application/zip' && ZIP_KINDS.test(declared)) return declared;
  return sniffed;
}
