/** The identity as the interface sees it. The costly parts (curves, bech32) load on first use. */
import { create } from 'zustand';
import { eraseIdentity, loadIdentity, saveIdentity, type Identity } from './vault.ts';

interface IdentityState {
  /** `unknown` until the vault has been read. */
  readonly status: 'unknown' | 'none' | 'present';
  readonly identity: Identity | undefined;
}

export const useIdentity = create<IdentityState>(() => ({ status: 'unknown', identity: undefined }));

function show(identity: Identity | undefined): void {
  useIdentity.setState({ identity, status: identity === undefined ? 'none' : 'present' });
}

export type NewIdentity =
  | { readonly from: 'new' }
  | { readonly from: 'extension' }
  | { readonly from: 'secret'; readonly text: string };

async function make(wanted: NewIdentity): Promise<Identity> {
  const session = await import('./session.ts');
  if (wanted.from === 'new') return session.createIdentity();
  return wanted.from === 'extension' ? await session.extensionIdentity() : session.importIdentity(wanted.text);
}

/** Makes or takes over an identity and signs in with it. @throws ApiFailed, InvalidInput, Forbidden, Unavailable */
export async function enterWith(wanted: NewIdentity): Promise<void> {
  const { signIn } = await import('./session.ts');
  show(await signIn(await make(wanted)));
}

/** The same, and makes it the owner by the set-up token. @throws ApiFailed, InvalidInput, Forbidden, Unavailable */
export async function becomeOwnerWith(
  wanted: NewIdentity | { readonly from: 'present' },
  token: string,
): Promise<void> {
  const { claimOwnership } = await import('./session.ts');
  const present = useIdentity.getState().identity;
  const identity = wanted.from === 'present' ? present : await make(wanted);
  if (identity !== undefined) show(await claimOwnership(identity, token));
}

/** Signs in again with the identity this browser holds. @throws ApiFailed, Forbidden, Unavailable */
export async function signInAgain(): Promise<void> {
  const { identity } = useIdentity.getState();
  if (identity === undefined) return;
  const { signIn } = await import('./session.ts');
  show(await signIn(identity));
}

/** Ends the session and keeps the key. @throws ApiFailed */
export async function leave(): Promise<void> {
  const { signOut } = await import('./session.ts');
  show(await signOut(useIdentity.getState().identity));
}

/** Ends the session and erases the key from this browser. @throws ApiFailed */
export async function leaveForGood(): Promise<void> {
  await leave();
  await eraseIdentity();
  show(undefined);
}

/** Remembers that the user has seen the back-up of the key. */
export async function markBackedUp(): Promise<void> {
  const { identity } = useIdentity.getState();
  if (identity?.kind !== 'local') return;
  const saved = { ...identity, backedUp: true };
  await saveIdentity(saved);
  show(saved);
}

/** Reads the vault at start; a local key whose session has ended signs in again without asking. */
export async function restoreIdentity(readRole: () => Promise<string | undefined>): Promise<void> {
  const identity = await loadIdentity();
  show(identity);
  if (identity?.kind !== 'local' || identity.signedOut) return;
  if ((await readRole()) === undefined) await signInAgain();
}
