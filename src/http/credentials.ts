/** From a request to the claim behind it: gathers what `accounts` decides by, and carries the session cookie. */
import type { IncomingMessage } from 'node:http';
import type { Accounts, RequestCredentials } from '../accounts/accounts.ts';
import type { Claim } from '../accounts/claim.ts';
import { Unauthorized } from '../base/errors.ts';
import type { Sha256 } from '../base/ids.ts';
import { SECOND_MS } from '../base/units.ts';
import { cookieValue, singleHeader } from './headers.ts';

export const SESSION_COOKIE = 'seedbed_session';

export type BlossomAction = NonNullable<RequestCredentials['blossom']>;

export interface CredentialExtras {
  readonly bodySha256?: Sha256;
  readonly blossom?: BlossomAction;
  /** Where the method of the request line is overridden (tus). */
  readonly method?: string;
}

/** What a request shows of its sender. */
export function credentialsOf(request: IncomingMessage, extras: CredentialExtras = {}): RequestCredentials {
  const { headers } = request;
  const sessionToken = cookieValue(headers.cookie, SESSION_COOKIE);
  const origin = singleHeader(headers, 'origin');
  return {
    method: extras.method ?? request.method ?? 'GET',
    target: request.url ?? '/',
    ...(headers.authorization === undefined ? {} : { authorization: headers.authorization }),
    ...(sessionToken === undefined ? {} : { sessionToken }),
    ...(origin === undefined ? {} : { origin }),
    ...(extras.bodySha256 === undefined ? {} : { bodySha256: extras.bodySha256 }),
    ...(extras.blossom === undefined ? {} : { blossom: extras.blossom }),
  };
}

/** The part of `Accounts` that doors need. */
export type ClaimSource = Pick<Accounts, 'claimFor'>;

/** Who is asking. @throws Unauthorized when credentials are there but do not hold. */
export async function claimOf(
  accounts: ClaimSource,
  request: IncomingMessage,
  extras: CredentialExtras = {},
): Promise<Claim> {
  return await accounts.claimFor(credentialsOf(request, extras));
}

/**
 * Who is reading what everybody may read: a session that has ended makes a guest instead of a refusal.
 * @throws Unauthorized for a signed token that does not hold
 */
export async function readerClaim(
  accounts: ClaimSource,
  request: IncomingMessage,
): Promise<{ readonly claim: Claim; readonly isStale: boolean }> {
  const credentials = credentialsOf(request);
  try {
    return { claim: await accounts.claimFor(credentials), isStale: false };
  } catch (error) {
    if (!(error instanceof Unauthorized) || credentials.authorization !== undefined) throw error;
    const { method, target } = credentials;
    return { claim: await accounts.claimFor({ method, target }), isStale: true };
  }
}

/** `Set-Cookie` of a new session: not readable by scripts, not sent from other sites, only over TLS where there is TLS. */
export function sessionCookie(token: string, lifetimeMs: number, publicUrl: string): string {
  const secure = publicUrl.startsWith('https:') ? '; Secure' : '';
  const maxAgeSec = Math.floor(lifetimeMs / SECOND_MS);
  return `${SESSION_COOKIE}=${token}; Path=/; Max-Age=${maxAgeSec}; HttpOnly; SameSite=Strict${secure}`;
}

/** `Set-Cookie` that ends a session. */
export function endedSessionCookie(publicUrl: string): string {
  return sessionCookie('', 0, publicUrl);
}
