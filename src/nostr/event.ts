/**
 * Nostr events (NIP-01). The only door for events from outside takes text, checks shape, id and signature, and hands
 * out a frozen object: a `VerifiedEvent` can neither be forged by copying nor changed after the check.
 */
import { schnorr } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { fromHex, toHex, utf8 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { parsePubkey, type Pubkey } from '../base/ids.ts';

export type Tag = readonly string[];

export interface UnsignedEvent {
  readonly kind: number;
  /** Seconds since 1970. */
  readonly created_at: number;
  readonly tags: readonly Tag[];
  readonly content: string;
}

export interface SignedEvent extends UnsignedEvent {
  readonly id: string;
  readonly pubkey: Pubkey;
  readonly sig: string;
}

/** A SignedEvent whose id and signature were checked from its own text; frozen. */
export type VerifiedEvent = SignedEvent & { readonly brand: 'VerifiedEvent' };

const MAX_EVENT_CHARS = 64 * 1024;
const MAX_TAGS = 2_000;
const MAX_KIND = 65_535;
const HEX_64 = /^[0-9a-f]{64}$/;
const HEX_128 = /^[0-9a-f]{128}$/;

/** The id: sha256 of the canonical serialisation (NIP-01), 64 hex digits. */
export function eventId(pubkey: Pubkey, event: UnsignedEvent): string {
  const canonical = JSON.stringify([0, pubkey, event.created_at, event.kind, event.tags, event.content]);
  return toHex(sha256(utf8(canonical)));
}

/** @throws InvalidInput when the text is no event, its id is not its hash, or its signature does not hold. */
export function verifyEventText(text: string): VerifiedEvent {
  if (text.length > MAX_EVENT_CHARS) throw new InvalidInput('the event is larger than 64 KiB');
  const event = shapeOf(parseJson(text));
  if (eventId(event.pubkey, event) !== event.id) throw new InvalidInput('the event id is not its hash');
  if (!hasValidSignature(event)) throw new InvalidInput('the event signature does not hold');
  for (const tag of event.tags) Object.freeze(tag);
  Object.freeze(event.tags);
  return Object.freeze(event) as VerifiedEvent;
}

/** Signs with a 32-byte secret key. */
export function signEvent(secretKey: Uint8Array, event: UnsignedEvent): SignedEvent {
  const pubkey = publicKeyOf(secretKey);
  const id = eventId(pubkey, event);
  const { kind, created_at, tags, content } = event;
  return { id, pubkey, kind, created_at, tags, content, sig: toHex(schnorr.sign(fromHex(id), secretKey)) };
}

/** The x-only public key of a 32-byte secret key (BIP-340). */
export function publicKeyOf(secretKey: Uint8Array): Pubkey {
  return parsePubkey(toHex(schnorr.getPublicKey(secretKey)));
}

export function generateSecretKey(): Uint8Array {
  return schnorr.utils.randomSecretKey();
}

/** All first values of the tags with that name. */
export function tagValues(event: UnsignedEvent, name: string): string[] {
  return event.tags.filter((tag) => tag[0] === name).map((tag) => tag[1] ?? '');
}

/** The value of the one tag with that name. @throws InvalidInput when there is none or more than one. */
export function singleTag(event: UnsignedEvent, name: string): string {
  const [value, ...more] = tagValues(event, name);
  if (value === undefined || more.length > 0) throw new InvalidInput(`the event needs exactly one ${name} tag`);
  return value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InvalidInput('the event is not JSON', {}, { cause });
  }
}

function shapeOf(raw: unknown): SignedEvent {
  if (typeof raw !== 'object' || raw === null) throw new InvalidInput('the event is not an object');
  const field: Partial<Record<string, unknown>> = { ...raw };
  const { id, pubkey, created_at, kind, tags, content, sig } = field;
  if (typeof id !== 'string' || !HEX_64.test(id)) throw new InvalidInput('the event has a malformed id');
  if (typeof pubkey !== 'string' || !HEX_64.test(pubkey)) throw new InvalidInput('the event has a malformed pubkey');
  if (typeof sig !== 'string' || !HEX_128.test(sig)) throw new InvalidInput('the event has a malformed sig');
  if (typeof content !== 'string') throw new InvalidInput('the event has no content');
  if (!isWhole(created_at, Number.MAX_SAFE_INTEGER)) throw new InvalidInput('the event has a malformed created_at');
  if (!isWhole(kind, MAX_KIND)) throw new InvalidInput('the event has a malformed kind');
  return { id, pubkey: parsePubkey(pubkey), created_at, kind, tags: tagsOf(tags), content, sig };
}

function isWhole(value: unknown, max: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max;
}

function tagsOf(raw: unknown): Tag[] {
  if (!Array.isArray(raw) || raw.length > MAX_TAGS) throw new InvalidInput('the event has no list of tags');
  return raw.map((tag: unknown) => {
    const isTag = Array.isArray(tag) && tag.length > 0 && tag.every((part) => typeof part === 'string');
    if (!isTag) throw new InvalidInput('the event has a malformed tag');
    return [...tag];
  });
}

function hasValidSignature(event: SignedEvent): boolean {
  try {
    return schnorr.verify(fromHex(event.sig), fromHex(event.id), fromHex(event.pubkey));
  } catch {
    return false; // the library throws for public keys that are not on the curve
  }
}
