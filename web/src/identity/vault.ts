/** Where this browser keeps who its user is: IndexedDB, one record. The private key never leaves it. */
import { createStore, del, get, set, type UseStore } from 'idb-keyval';
import type { Pubkey } from '../../../src/base/ids.ts';

interface SharedFields {
  readonly pubkey: Pubkey;
  /** The user signed out: do not sign in by ourselves. */
  readonly signedOut: boolean;
}

/** A key made or imported here. */
export interface LocalIdentity extends SharedFields {
  readonly kind: 'local';
  readonly secretKey: Uint8Array;
  /** The user has seen the back-up. */
  readonly backedUp: boolean;
}

/** A key held by a browser extension (NIP-07). */
export interface ExtensionIdentity extends SharedFields {
  readonly kind: 'extension';
}

export type Identity = LocalIdentity | ExtensionIdentity;

const KEY = 'identity';
let store: UseStore | undefined;

function vault(): UseStore {
  store ??= createStore('seedbed-identity', 'keys');
  return store;
}

/** The identity of this browser's user, if there is one. */
export async function loadIdentity(): Promise<Identity | undefined> {
  return await get<Identity>(KEY, vault());
}

export async function saveIdentity(identity: Identity): Promise<void> {
  await set(KEY, identity, vault());
}

/** Forgets the key for good. */
export async function eraseIdentity(): Promise<void> {
  await del(KEY, vault());
}
