/** People who sign their requests: NIP-98 for the API, BUD-11 tokens for Blossom. */
import { randomUUID } from 'node:crypto';
import type { Pubkey, Sha256 } from '../../src/base/ids.ts';
import { authorizationOf, BLOSSOM_AUTH_KIND, httpAuthEvent, sha256Of, type BlossomVerb } from '../../src/nostr/auth.ts';
import { generateSecretKey, publicKeyOf, signEvent } from '../../src/nostr/event.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { SETUP_TOKEN, type HttpWorld } from './http-world.ts';

export interface BlossomToken {
  readonly verb: BlossomVerb;
  readonly blobs?: readonly Sha256[];
  readonly server?: string;
  readonly expiresInSec?: number;
}

export class Person {
  readonly #secretKey = generateSecretKey();
  readonly pubkey: Pubkey = publicKeyOf(this.#secretKey);

  /** An Authorization header for one request (NIP-98). */
  async signed(method: string, url: string, body?: string): Promise<string> {
    const facts = {
      method,
      url,
      nowSec: nowSec(),
      ...(body === undefined ? {} : { bodySha256: await sha256Of(utf8(body)) }),
    };
    return authorizationOf(signEvent(this.#secretKey, httpAuthEvent(facts)));
  }

  /** An Authorization header for Blossom (BUD-11). */
  token({ verb, blobs = [], server, expiresInSec = 300 }: BlossomToken): string {
    const tags = [
      ['t', verb],
      ['expiration', String(nowSec() + expiresInSec)],
      ...blobs.map((blob) => ['x', blob]),
      ...(server === undefined ? [] : [['server', server]]),
    ];
    const event = { kind: BLOSSOM_AUTH_KIND, created_at: nowSec(), tags, content: randomUUID() };
    return authorizationOf(signEvent(this.#secretKey, event));
  }

  /** Signs in; gives the Cookie header of the session. */
  async signIn(world: HttpWorld): Promise<string> {
    const url = world.url('/api/v1/session');
    const response = await fetch(url, { method: 'POST', headers: { authorization: await this.signed('POST', url) } });
    return cookieOf(response);
  }

  /** Uses the set-up link; gives the Cookie header of the session. */
  async becomeOwner(world: HttpWorld, token = SETUP_TOKEN): Promise<Response> {
    const url = world.url('/api/v1/setup');
    const body = JSON.stringify({ token });
    const headers = { authorization: await this.signed('POST', url, body), 'content-type': 'application/json' };
    return await fetch(url, { method: 'POST', headers, body });
  }
}

export function cookieOf(response: Response): string {
  return (response.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '';
}

function nowSec(): number {
  return Math.floor(Date.now() / 1000);
}
