/**
 * May this upload begin? Everything that can be refused is refused here, before the first byte, by all doors alike.
 * Races are decided later by the database; this is the early, friendly answer.
 */
import { authorize } from '../accounts/authorize.ts';
import type { Claim } from '../accounts/claim.ts';
import { Forbidden, InvalidInput, TooLarge, UnsupportedType } from '../base/errors.ts';
import { formatBytes } from '../base/units.ts';
import { acceptsType } from './context.ts';
import type { MediaContext, MediaLimits } from './context.ts';
import type { UploadWish } from './medium.ts';
import { noQuota, noRoom, ownerOf, scopeOf, TOTAL } from './space.ts';
import type { SpaceLimits } from './space.ts';

/** How old the last look at the disk may be. */
const FREE_SPACE_MS = 1_000;

/** @throws Unauthorized, Forbidden, InvalidInput, TooLarge, UnsupportedType. Pure. */
export function assertMayUpload(claim: Claim, wish: UploadWish, limits: MediaLimits): void {
  authorize(claim, { kind: 'upload', policy: limits.policy });
  if (claim.kind === 'key' && wish.sha256 !== undefined && claim.blobs?.has(wish.sha256) === false) {
    throw new Forbidden('the token was signed for other blobs', { sha256: wish.sha256 });
  }
  if (wish.sizeBytes !== undefined) assertSize(wish.sizeBytes, limits.maxUploadBytes);
  if (wish.declaredType !== undefined && !acceptsType(limits.acceptedTypes, wish.declaredType)) {
    throw new UnsupportedType('this server does not take files of this type', { type: wish.declaredType });
  }
}

/** @throws InvalidInput, TooLarge. Pure. */
export function assertSize(sizeBytes: number, maxUploadBytes: number): void {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw new InvalidInput('not a size in bytes', { sizeBytes });
  if (sizeBytes <= maxUploadBytes) return;
  const limit = formatBytes(maxUploadBytes);
  throw new TooLarge(`files here may have up to ${limit}`, { sizeBytes, maxUploadBytes });
}

export class Admission {
  readonly #context: MediaContext;
  #freeBytes = Infinity;
  #lookedAtMs = -Infinity;

  constructor(context: MediaContext) {
    this.#context = context;
  }

  limitsOf(claim: Claim): SpaceLimits {
    return { quotaBytes: claim.quotaBytes, totalQuotaBytes: this.#context.limits.totalQuotaBytes };
  }

  /** @throws NoSpace when quota, server or disk, as last looked at, have no room */
  assertRoom(claim: Claim, sizeBytes: number): void {
    const { quotaBytes, totalQuotaBytes } = this.limitsOf(claim);
    const { reads } = this.#context;
    if (reads.usedBytes(scopeOf(ownerOf(claim))) + sizeBytes > quotaBytes) throw noQuota(sizeBytes, quotaBytes);
    if (reads.usedBytes(TOTAL) + sizeBytes > totalQuotaBytes) throw noRoom(sizeBytes);
    if (reads.outstandingBytes() + sizeBytes > this.#freeBytes) throw noRoom(sizeBytes);
  }

  /** Looks at the disk, unless somebody just did. */
  async lookAtDisk(): Promise<void> {
    const nowMs = this.#context.clock.monotonicMs();
    if (nowMs - this.#lookedAtMs < FREE_SPACE_MS) return;
    this.#freeBytes = await this.#context.store.freeBytes();
    this.#lookedAtMs = nowMs;
  }
}
