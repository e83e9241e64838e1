/**
 * Who is asking. Every use case takes a Claim, made by `accounts` from a session or a signed token and by nothing else;
 * what a claim may do is decided in `authorize.ts` alone.
 */
import type { Pubkey, Sha256 } from '../base/ids.ts';

export interface KeyClaim {
  readonly kind: 'key';
  readonly pubkey: Pubkey;
  readonly role: 'owner' | 'member' | 'guest';
  /** Bytes this identity may keep here in total. */
  readonly quotaBytes: number;
  /** Where a signed token (BUD-11) names blobs, only those; undefined = any. */
  readonly blobs?: ReadonlySet<Sha256>;
}

/** A visitor without a key; where uploads are open to anyone its uploads belong to nobody and share one quota. */
export interface GuestClaim {
  readonly kind: 'guest';
  readonly quotaBytes: number;
}

export type Claim = KeyClaim | GuestClaim;
