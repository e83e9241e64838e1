/**
 * Identities, sessions and the owner. A Claim comes from here and from nowhere else: from a session cookie, from a
 * NIP-98 event (once), or from a Blossom token (BUD-11).
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { UploadPolicy } from '../base/api.ts';
import type { Clock } from '../base/clock.ts';
import { Conflict, Forbidden, InvalidInput, NotFound, Unauthorized } from '../base/errors.ts';
import { parsePubkey, type Pubkey, type Sha256 } from '../base/ids.ts';
import { DAY_MS, SECOND_MS } from '../base/units.ts';
import {
  AUTH_SKEW_SEC,
  HTTP_AUTH_KIND,
  checkBlossomAuth,
  checkHttpAuth,
  eventFromAuthorization,
  type BlossomVerb,
} from '../nostr/auth.ts';
import { singleTag, type VerifiedEvent } from '../nostr/event.ts';
import { WriteRefused, type Rows } from '../store/rows.ts';
import { authorize } from './authorize.ts';
import type { Claim, KeyClaim } from './claim.ts';
import type { AccountTables } from './tables.ts';

export const SESSION_LIFETIME_MS = 30 * DAY_MS;
const MAX_MEMBERS_LISTED = 1_000;

export interface AccountSettings {
  /** Origin of the public URL, without a trailing slash. */
  readonly publicUrl: string;
  readonly uploads: UploadPolicy;
  /** Default per identity. */
  readonly quotaBytes: number;
  /** Shared by all visitors without a key. */
  readonly guestQuotaBytes: number;
  /** Secret of the set-up link; whoever shows it first becomes the owner. */
  readonly setupToken: string;
  /** Called once the server has its owner: the link's secret is of no more use. */
  readonly onOwned?: () => Promise<void>;
}

/** What of a request matters for deciding who sends it. */
export interface RequestCredentials {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  readonly authorization?: string;
  /** Value of the session cookie. */
  readonly sessionToken?: string;
  /** The `Origin` header, where the browser sent one. */
  readonly origin?: string;
  readonly bodySha256?: Sha256;
  /** Where the door speaks Blossom: what the token must allow. */
  readonly blossom?: { readonly verb: BlossomVerb; readonly blob?: Sha256 };
}

export interface Session {
  readonly token: string;
  readonly expiresAtMs: number;
  readonly claim: KeyClaim;
}

export interface Member {
  readonly pubkey: Pubkey;
  readonly role: 'owner' | 'member';
  readonly quotaBytes: number;
}

export class Accounts {
  readonly #rows: Rows<AccountTables>;
  readonly #clock: Clock;
  readonly #settings: AccountSettings;
  readonly #host: string;

  constructor(rows: Rows<AccountTables>, clock: Clock, settings: AccountSettings) {
    this.#rows = rows;
    this.#clock = clock;
    this.#settings = settings;
    this.#host = new URL(settings.publicUrl).hostname;
  }

  get uploads(): UploadPolicy {
    return this.#settings.uploads;
  }

  async hasOwner(): Promise<boolean> {
    const row = await this.#rows.query
      .selectFrom('identity')
      .select('pubkey')
      .where('role', '=', 'owner')
      .executeTakeFirst();
    return row !== undefined;
  }

  /** @throws Unauthorized when credentials are there but do not hold; no credentials make a guest. */
  async claimFor(request: RequestCredentials): Promise<Claim> {
    if (request.authorization !== undefined) return await this.#claimFromEvent(request.authorization, request);
    if (request.sessionToken !== undefined) return await this.#claimFromSession(request.sessionToken, request);
    return { kind: 'guest', quotaBytes: this.#settings.guestQuotaBytes };
  }

  /** Signs in by a NIP-98 event. @throws Unauthorized */
  async openSession(request: RequestCredentials): Promise<Session> {
    const claim = await this.#requireKey(request);
    const token = randomBytes(16).toString('base64url');
    const nowMs = this.#clock.nowMs();
    const expiresAtMs = nowMs + SESSION_LIFETIME_MS;
    const session = {
      token_sha256: hashOf(token),
      pubkey: claim.pubkey,
      created_at_ms: nowMs,
      expires_at_ms: expiresAtMs,
    };
    await this.#rows.write([{ query: this.#rows.query.insertInto('session').values(session).compile() }]);
    return { token, expiresAtMs, claim };
  }

  /** Signs out; harmless for unknown tokens. */
  async closeSession(token: string): Promise<void> {
    const query = this.#rows.query.deleteFrom('session').where('token_sha256', '=', hashOf(token)).compile();
    await this.#rows.write([{ query }]);
  }

  /** The set-up link: makes the key that signed the request the owner, once. @throws Forbidden, Conflict, Unauthorized */
  async becomeOwner(request: RequestCredentials, setupToken: string): Promise<Session> {
    if (!sameSecret(setupToken, this.#settings.setupToken))
      throw new Forbidden('the set-up link is not the one this server printed');
    if (await this.hasOwner()) throw new Conflict('this server has an owner already');
    const session = await this.openSession(request);
    const owner = {
      pubkey: session.claim.pubkey,
      role: 'owner' as const,
      quota_bytes: null,
      created_at_ms: this.#clock.nowMs(),
    };
    const query = this.#rows.query
      .insertInto('identity')
      .values(owner)
      .onConflict((conflict) => conflict.doNothing())
      .compile();
    try {
      await this.#rows.write([{ query, expectChanges: 1 }]);
    } catch (cause) {
      if (cause instanceof WriteRefused) throw new Conflict('this server has an owner already', {}, { cause });
      throw cause;
    }
    await this.#settings.onOwned?.();
    return { ...session, claim: { ...session.claim, role: 'owner' } };
  }

  async listMembers(claim: Claim): Promise<Member[]> {
    authorize(claim, { kind: 'manage-members' });
    const rows = await this.#rows.query
      .selectFrom('identity')
      .selectAll()
      .orderBy('created_at_ms')
      .limit(MAX_MEMBERS_LISTED)
      .execute();
    return rows.map((row) => ({
      pubkey: parsePubkey(row.pubkey),
      role: row.role,
      quotaBytes: row.quota_bytes ?? this.#settings.quotaBytes,
    }));
  }

  /** Adds a member or changes its quota (undefined = the server's default). The owner's row keeps its role. */
  async putMember(claim: Claim, pubkey: Pubkey, quotaBytes: number | undefined): Promise<void> {
    authorize(claim, { kind: 'manage-members' });
    if (quotaBytes !== undefined && (!Number.isSafeInteger(quotaBytes) || quotaBytes < 0)) {
      throw new InvalidInput('a quota is a whole number of bytes');
    }
    const quota_bytes = quotaBytes ?? null;
    const query = this.#rows.query
      .insertInto('identity')
      .values({ pubkey, role: 'member', quota_bytes, created_at_ms: this.#clock.nowMs() })
      .onConflict((conflict) => conflict.column('pubkey').doUpdateSet({ quota_bytes }))
      .compile();
    await this.#rows.write([{ query }]);
  }

  /** Removes a member and ends its sessions; its files stay. @throws NotFound for strangers and for the owner */
  async removeMember(claim: Claim, pubkey: Pubkey): Promise<void> {
    authorize(claim, { kind: 'manage-members' });
    const { query } = this.#rows;
    const removal = query.deleteFrom('identity').where('pubkey', '=', pubkey).where('role', '=', 'member').compile();
    const signOut = query.deleteFrom('session').where('pubkey', '=', pubkey).compile();
    try {
      await this.#rows.write([{ query: removal, expectChanges: 1 }, { query: signOut }]);
    } catch (cause) {
      if (cause instanceof WriteRefused) throw new NotFound('there is no such member', {}, { cause });
      throw cause;
    }
  }

  /** Forgets expired sessions and used tokens. */
  async prune(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const { query } = this.#rows;
    await this.#rows.write([
      { query: query.deleteFrom('session').where('expires_at_ms', '<=', nowMs).compile() },
      { query: query.deleteFrom('used_token').where('expires_at_ms', '<=', nowMs).compile() },
    ]);
  }

  async #requireKey(request: RequestCredentials): Promise<KeyClaim> {
    const claim = await this.claimFor(request);
    if (claim.kind !== 'key') throw new Unauthorized('sign the request with a Nostr key (NIP-98)');
    return claim;
  }

  async #claimFromEvent(authorization: string, request: RequestCredentials): Promise<KeyClaim> {
    const event = eventFromAuthorization(authorization);
    const nowSec = Math.floor(this.#clock.nowMs() / SECOND_MS);
    // Blossom doors take both; whatever is no NIP-98 event is judged, and refused, as a Blossom token.
    if (request.blossom !== undefined && event.kind !== HTTP_AUTH_KIND) {
      const blobs = checkBlossomAuth(event, { ...request.blossom, host: this.#host, nowSec });
      // A stolen delete token must not delete what was uploaded again after it.
      if (request.blossom.verb === 'delete') await this.#useOnce(event, Number(singleTag(event, 'expiration')));
      const claim = await this.#claimOf(event.pubkey);
      return blobs.size > 0 ? { ...claim, blobs } : claim;
    }
    const { bodySha256 } = request;
    const facts = { method: request.method, url: this.#settings.publicUrl + request.target, nowSec };
    checkHttpAuth(event, bodySha256 === undefined ? facts : { ...facts, bodySha256 });
    await this.#useOnce(event, event.created_at + 2 * AUTH_SKEW_SEC);
    return await this.#claimOf(event.pubkey);
  }

  /** @throws Unauthorized when the event was used before; durable, so a restart does not reopen the door. */
  async #useOnce(event: VerifiedEvent, expiresAtSec: number): Promise<void> {
    const query = this.#rows.query
      .insertInto('used_token')
      .values({ event_id: event.id, expires_at_ms: expiresAtSec * SECOND_MS })
      .onConflict((conflict) => conflict.doNothing())
      .compile();
    try {
      await this.#rows.write([{ query, expectChanges: 1 }]);
    } catch (cause) {
      if (cause instanceof WriteRefused)
        throw new Unauthorized('the token was used before; sign a new one', {}, { cause });
      throw cause;
    }
  }

  async #claimFromSession(token: string, request: RequestCredentials): Promise<KeyClaim> {
    // A cookie travels with forged cross-site requests too; those carry a foreign Origin (OWASP CSRF).
    const isForeign = request.origin !== undefined && request.origin !== new URL(this.#settings.publicUrl).origin;
    if (isForeign && !SAFE_METHODS.has(request.method)) {
      throw new Unauthorized(`requests with the session cookie must come from ${this.#settings.publicUrl}`);
    }
    const row = await this.#rows.query
      .selectFrom('session')
      .select('pubkey')
      .where('token_sha256', '=', hashOf(token))
      .where('expires_at_ms', '>', this.#clock.nowMs())
      .executeTakeFirst();
    if (row === undefined) throw new Unauthorized('the session has ended; sign in again');
    return await this.#claimOf(parsePubkey(row.pubkey));
  }

  async #claimOf(pubkey: Pubkey): Promise<KeyClaim> {
    const row = await this.#rows.query
      .selectFrom('identity')
      .select(['role', 'quota_bytes'])
      .where('pubkey', '=', pubkey)
      .executeTakeFirst();
    return {
      kind: 'key',
      pubkey,
      role: row?.role ?? 'guest',
      quotaBytes: row?.quota_bytes ?? this.#settings.quotaBytes,
    };
  }
}

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function sameSecret(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
