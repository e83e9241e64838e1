/**
 * Signed HTTP requests: NIP-98 (kind 27235, one request) and Blossom tokens (BUD-11, kind 24242, one action).
 * Times come in, nothing is stored here: the caller keeps the replay table.
 */
import { fromUtf8, toHex, utf8 } from '../base/bytes.ts';
import { InvalidInput, Unauthorized } from '../base/errors.ts';
import { isSha256, parseSha256, type Sha256 } from '../base/ids.ts';
import { singleTag, tagValues, verifyEventText, type UnsignedEvent, type VerifiedEvent } from './event.ts';

export const HTTP_AUTH_KIND = 27_235;
export const BLOSSOM_AUTH_KIND = 24_242;
/** Clocks of clients may be off by so much. */
export const AUTH_SKEW_SEC = 60;
/** Common clients sign for an hour, uploads in parts last long; above a day a token is refused. */
const BLOSSOM_MAX_LIFETIME_SEC = 24 * 3600;
const MAX_HEADER_CHARS = 12_000;

export type BlossomVerb = 'get' | 'upload' | 'list' | 'delete' | 'media';
const NEEDS_BLOB: ReadonlySet<BlossomVerb> = new Set(['upload', 'delete', 'media']);

/** Decodes and verifies `Authorization: Nostr <base64 or base64url event>`. @throws Unauthorized */
export function eventFromAuthorization(header: string): VerifiedEvent {
  const [, encoded] = /^Nostr +([A-Za-z0-9+/_-]+)={0,2}$/i.exec(header) ?? [];
  if (encoded === undefined || header.length > MAX_HEADER_CHARS) {
    throw new Unauthorized('the Authorization header holds no Nostr event');
  }
  return refuse(() => verifyEventText(decodeBase64(encoded)));
}

export interface HttpRequestFacts {
  readonly method: string;
  /** The public URL of the request, from configuration, never from Host headers. */
  readonly url: string;
  /** SHA-256 of the body where there is one. */
  readonly bodySha256?: Sha256;
  readonly nowSec: number;
}

/** NIP-98: the event names this URL, method and body, and is fresh. The caller refuses a second use of its id. @throws Unauthorized */
export function checkHttpAuth(event: VerifiedEvent, request: HttpRequestFacts): void {
  refuse(() => {
    if (event.kind !== HTTP_AUTH_KIND) throw new InvalidInput('the token is not a NIP-98 event (kind 27235)');
    if (Math.abs(event.created_at - request.nowSec) > AUTH_SKEW_SEC) {
      throw new InvalidInput('the token is too old or from the future; check the clock');
    }
    if (singleTag(event, 'u') !== request.url) {
      throw new InvalidInput(`the token is for another URL than ${request.url}`);
    }
    if (singleTag(event, 'method').toUpperCase() !== request.method) {
      throw new InvalidInput('the token is for another method');
    }
    if (request.bodySha256 !== undefined && singleTag(event, 'payload') !== request.bodySha256) {
      throw new InvalidInput('the token is for another body');
    }
  });
}

/** The unsigned NIP-98 event for a request. */
export function httpAuthEvent(request: HttpRequestFacts): UnsignedEvent {
  const tags = [
    ['u', request.url],
    ['method', request.method],
  ];
  if (request.bodySha256 !== undefined) tags.push(['payload', request.bodySha256]);
  return { kind: HTTP_AUTH_KIND, created_at: request.nowSec, tags, content: '' };
}

export interface BlossomRequestFacts {
  readonly verb: BlossomVerb;
  /** Where the path or a header names the blob before the body is read. */
  readonly blob?: Sha256;
  /** Host name of the public URL, lower case, without port. */
  readonly host: string;
  readonly nowSec: number;
}

/** BUD-11: right verb, not expired, meant for this server and blob. Gives the blobs it names. @throws Unauthorized */
export function checkBlossomAuth(event: VerifiedEvent, request: BlossomRequestFacts): ReadonlySet<Sha256> {
  return refuse(() => {
    if (event.kind !== BLOSSOM_AUTH_KIND) throw new InvalidInput('the token is not a Blossom event (kind 24242)');
    if (event.created_at > request.nowSec + AUTH_SKEW_SEC) {
      throw new InvalidInput('the token is from the future; check the clock');
    }
    checkExpiration(singleTag(event, 'expiration'), request.nowSec);
    if (singleTag(event, 't') !== request.verb) throw new InvalidInput(`the token does not allow ${request.verb}`);
    checkServers(tagValues(event, 'server'), request.host);
    return namedBlobs(event, request);
  });
}

/** `Authorization` value of a signed event. */
export function authorizationOf(event: object): string {
  const binary = Array.from(utf8(JSON.stringify(event)), (byte) => String.fromCharCode(byte)).join('');
  return `Nostr ${btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
}

/** SHA-256 of a request body, for the `payload` tag. */
export async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<Sha256> {
  return parseSha256(toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))));
}

function checkExpiration(text: string, nowSec: number): void {
  const expiresSec = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (!(expiresSec > nowSec)) throw new InvalidInput('the token has expired');
  if (expiresSec > nowSec + BLOSSOM_MAX_LIFETIME_SEC + AUTH_SKEW_SEC)
    throw new InvalidInput('the token is valid for more than a day');
}

function checkServers(servers: readonly string[], host: string): void {
  if (servers.length > 0 && !servers.some((server) => hostOf(server) === host)) {
    throw new InvalidInput('the token is meant for another server');
  }
}

function namedBlobs(event: VerifiedEvent, request: BlossomRequestFacts): ReadonlySet<Sha256> {
  const named = tagValues(event, 'x');
  if (!named.every(isSha256)) throw new InvalidInput('the token has a malformed x tag');
  if (NEEDS_BLOB.has(request.verb) && named.length === 0) throw new InvalidInput('the token needs an x tag');
  if (request.blob !== undefined && named.length > 0 && !named.includes(request.blob)) {
    throw new InvalidInput('the token is for another blob');
  }
  return new Set(named.map(parseSha256));
}

function decodeBase64(encoded: string): string {
  const binary = atob(encoded.replaceAll('-', '+').replaceAll('_', '/'));
  return fromUtf8(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
}

/** `server` tags are host names; full URLs and ports are forgiven. */
function hostOf(server: string): string | undefined {
  return URL.parse(server.includes('://') ? server : `http://${server}`)?.hostname;
}

/** Whatever is wrong with a token, its sender is not authorised (401), and learns why. */
function refuse<Result>(check: () => Result): Result {
  try {
    return check();
  } catch (cause) {
    throw new Unauthorized(cause instanceof InvalidInput ? cause.message : 'the token cannot be read', {}, { cause });
  }
}
