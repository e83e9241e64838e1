/** Signing in and out, and the set-up link. A session is a cookie; NIP-98 opens it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SESSION_LIFETIME_MS, type Accounts, type Session } from '../../accounts/accounts.ts';
import { verdict } from '../../accounts/authorize.ts';
import type { Claim } from '../../accounts/claim.ts';
import type { SessionInfo } from '../../base/api.ts';
import { credentialsOf, endedSessionCookie, readerClaim, SESSION_COOKIE, sessionCookie } from '../credentials.ts';
import type { PublicUrls } from '../describe.ts';
import { cookieValue } from '../headers.ts';
import type { MediaUsage } from '../ports.ts';
import { answers, DONE, SESSION_INFO, SETUP_BODY } from './schemas.ts';

export interface SessionDeps {
  readonly accounts: Pick<Accounts, 'claimFor' | 'openSession' | 'closeSession' | 'becomeOwner' | 'uploads'>;
  readonly media: MediaUsage;
  readonly urls: PublicUrls;
}

export function registerSession(api: FastifyInstance, deps: SessionDeps): void {
  const { accounts, urls } = deps;
  const response = answers(SESSION_INFO);

  api.get('/session', { schema: { summary: 'Who the caller is', response } }, async (request, reply) => {
    const { claim, isStale } = await readerClaim(accounts, request.raw);
    if (isStale) reply.header('set-cookie', endedSessionCookie(urls.publicUrl));
    return describeSession(deps, claim);
  });

  api.post('/session', { schema: { summary: 'Sign in with NIP-98', response } }, async (request, reply) =>
    signedIn(deps, reply, await accounts.openSession(signedCredentials(request))),
  );

  api.delete('/session', { schema: { summary: 'Sign out', response: DONE } }, async (request, reply) => {
    const token = cookieValue(request.headers.cookie, SESSION_COOKIE);
    if (token !== undefined) await accounts.closeSession(token);
    return await reply.header('set-cookie', endedSessionCookie(urls.publicUrl)).code(204).send();
  });

  const setup = { summary: 'Become the owner, with the set-up link and NIP-98', body: SETUP_BODY, response };
  api.post<{ Body: { token: string } }>('/setup', { schema: setup }, async (request, reply) =>
    signedIn(deps, reply, await accounts.becomeOwner(signedCredentials(request), request.body.token)),
  );
}

/** Only a signature counts here: a cookie of an older session must not stand in for it. */
function signedCredentials(request: FastifyRequest): ReturnType<typeof credentialsOf> {
  const { bodySha256 } = request;
  const { sessionToken: _, ...signed } = credentialsOf(request.raw, bodySha256 === undefined ? {} : { bodySha256 });
  return signed;
}

function signedIn(deps: SessionDeps, reply: FastifyReply, { token, claim }: Session): SessionInfo {
  reply.header('set-cookie', sessionCookie(token, SESSION_LIFETIME_MS, deps.urls.publicUrl));
  return describeSession(deps, claim);
}

function describeSession({ accounts, media }: SessionDeps, claim: Claim): SessionInfo {
  const identity = claim.kind === 'key' ? { pubkey: claim.pubkey, role: claim.role } : { role: 'guest' as const };
  return {
    ...identity,
    mayUpload: verdict(claim, { kind: 'upload', policy: accounts.uploads }).allowed,
    usedBytes: media.usedBytes(claim),
    quotaBytes: claim.quotaBytes,
  };
}
