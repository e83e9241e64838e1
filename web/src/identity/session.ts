/**
 * Signing in: a NIP-98 event (kind 27235) for one URL, method and body, exchanged for a cookie session. The URL signed is the
 * server's public one, which is what it checks against.
 */
import type { ServerInfo, SessionInfo } from '../../../src/base/api.ts';
import { randomBytes, toHex, utf8 } from '../../../src/base/bytes.ts';
import { authorizationOf, httpAuthEvent, sha256Of } from '../../../src/nostr/auth.ts';
import { generateSecretKey, publicKeyOf } from '../../../src/nostr/event.ts';
import { callApi } from '../api/http.ts';
import { queryClient, serverQuery, sessionQuery } from '../api/queries.ts';
import { readSession } from '../api/read.ts';
import { parseSecretKey } from './keys.ts';
import { extensionPubkey, signAs } from './signer.ts';
import { saveIdentity, type Identity, type LocalIdentity } from './vault.ts';

/** Keeps two sign-ins within one second apart: a server takes each event once. */
const NONCE_BYTES = 8;

/** The Authorization value of one POST. `body` is what is sent, byte for byte. */
export async function authorizePost(
  identity: Identity,
  server: Pick<ServerInfo, 'publicUrl'>,
  path: string,
  body: string | undefined,
  nowMs: number,
): Promise<string> {
  const facts = {
    method: 'POST',
    url: `${server.publicUrl.replace(/\/$/, '')}${path}`,
    nowSec: Math.floor(nowMs / 1000),
    ...(body === undefined ? {} : { bodySha256: await sha256Of(utf8(body)) }),
  };
  const event = httpAuthEvent(facts);
  const tags = [...event.tags, ['nonce', toHex(randomBytes(NONCE_BYTES))]];
  return authorizationOf(await signAs(identity, { ...event, tags }));
}

async function postSigned(identity: Identity, path: string, body?: string): Promise<SessionInfo> {
  const server = await queryClient.ensureQueryData(serverQuery);
  const authorization = await authorizePost(identity, server, path, body, Date.now());
  const answer = await callApi(path, { method: 'POST', authorization, ...(body === undefined ? {} : { body }) });
  const session = readSession(answer);
  queryClient.setQueryData(sessionQuery.queryKey, session);
  await queryClient.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionQuery.queryKey[0] });
  return session;
}

/** Opens a session for the identity and remembers it. @throws ApiFailed, Forbidden, Unavailable */
export async function signIn(identity: Identity): Promise<Identity> {
  await postSigned(identity, '/api/v1/session');
  const signedIn = { ...identity, signedOut: false };
  await saveIdentity(signedIn);
  return signedIn;
}

/** Makes the identity this server's owner with the set-up link's token. @throws ApiFailed, Forbidden, Unavailable */
export async function claimOwnership(identity: Identity, token: string): Promise<Identity> {
  await postSigned(identity, '/api/v1/setup', JSON.stringify({ token }));
  const owner = { ...identity, signedOut: false };
  await saveIdentity(owner);
  return owner;
}

/** Ends the session; the key stays in this browser. @throws ApiFailed */
export async function signOut(identity: Identity | undefined): Promise<Identity | undefined> {
  await callApi('/api/v1/session', { method: 'DELETE' });
  const signedOut = identity === undefined ? undefined : { ...identity, signedOut: true };
  if (signedOut !== undefined) await saveIdentity(signedOut);
  await queryClient.invalidateQueries();
  return signedOut;
}

/** A fresh key, not yet stored. */
export function createIdentity(): LocalIdentity {
  return localIdentity(generateSecretKey(), false);
}

/** The identity of an `nsec1…` or hex key, not yet stored. @throws InvalidInput */
export function importIdentity(text: string): LocalIdentity {
  return localIdentity(parseSecretKey(text), true);
}

/** The identity of the browser's NIP-07 extension, not yet stored. @throws Unavailable, Forbidden */
export async function extensionIdentity(): Promise<Identity> {
  return { kind: 'extension', pubkey: await extensionPubkey(), signedOut: false };
}

function localIdentity(secretKey: Uint8Array, backedUp: boolean): LocalIdentity {
  return { kind: 'local', secretKey, pubkey: publicKeyOf(secretKey), backedUp, signedOut: false };
}
