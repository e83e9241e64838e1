/**
 * The one place that decides what a claim may do. Every door asks here; none decides by itself. Pure.
 */
import type { UploadPolicy } from '../base/api.ts';
import { Forbidden, Unauthorized } from '../base/errors.ts';
import type { Pubkey } from '../base/ids.ts';
import type { Claim } from './claim.ts';

export type Action =
  | { readonly kind: 'upload'; readonly policy: UploadPolicy }
  /** `owners`: everyone who keeps the blob here. */
  | { readonly kind: 'delete'; readonly owners: readonly (Pubkey | undefined)[] }
  /** Continue, inspect or cancel an unfinished upload; `owner` undefined: it was begun by a visitor without a key. */
  | { readonly kind: 'continue-upload'; readonly owner: Pubkey | undefined }
  | { readonly kind: 'manage-members' };

export type Verdict = { readonly allowed: true } | { readonly allowed: false; readonly because: string };

const YES: Verdict = { allowed: true };
const no = (because: string): Verdict => ({ allowed: false, because });

/** Decides without throwing; for answers such as "may this caller upload at all?". */
export function verdict(claim: Claim, action: Action): Verdict {
  const isOwner = claim.kind === 'key' && claim.role === 'owner';
  switch (action.kind) {
    case 'upload':
      return mayUpload(claim, action.policy);
    case 'delete':
      return isOwner || keeps(claim, action.owners)
        ? YES
        : no('only who keeps a file here, or the server owner, may delete it');
    case 'continue-upload':
      return action.owner === (claim.kind === 'key' ? claim.pubkey : undefined)
        ? YES
        : no('this upload belongs to somebody else');
    case 'manage-members':
      return isOwner ? YES : no('only the server owner manages members');
  }
}

/** @throws Unauthorized when signing in could help, Forbidden when it could not. */
export function authorize(claim: Claim, action: Action): void {
  const decision = verdict(claim, action);
  if (decision.allowed) return;
  if (claim.kind === 'guest') throw new Unauthorized(`${decision.because}; sign in first`);
  throw new Forbidden(decision.because);
}

function mayUpload(claim: Claim, policy: UploadPolicy): Verdict {
  const role = claim.kind === 'key' ? claim.role : 'guest';
  switch (policy) {
    case 'anyone':
      return YES;
    case 'members':
      return role === 'owner' || role === 'member' ? YES : no('uploads are for members of this server');
    case 'owner':
      return role === 'owner' ? YES : no('uploads are for the owner of this server');
  }
}

function keeps(claim: Claim, owners: readonly (Pubkey | undefined)[]): boolean {
  return claim.kind === 'key' && owners.includes(claim.pubkey);
}
