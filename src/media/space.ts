/**
 * Who may keep how much. Room is taken in the same transaction as what needs it, by updates that hold only below
 * the limit, so that no race can overdraw.
 */
import type { Kysely } from 'kysely';
import type { Claim } from '../accounts/claim.ts';
import { NoSpace } from '../base/errors.ts';
import type { AppError } from '../base/errors.ts';
import { formatBytes } from '../base/units.ts';
import { WriteRefused } from '../store/rows.ts';
import type { Rows, WriteStep } from '../store/rows.ts';
import type { MediaTables } from './tables.ts';

export const TOTAL = 'total';

/** The owner column of rows this claim makes: its key, or '' for visitors without one. */
export function ownerOf(claim: Claim): string {
  return claim.kind === 'key' ? claim.pubkey : '';
}

export function scopeOf(owner: string): string {
  return `owner:${owner}`;
}

/** A change of room: bytes more (or less) for an owner and for the server as a whole. */
export interface SpaceChange {
  readonly owner: string;
  readonly ownerBytes: number;
  readonly totalBytes: number;
}

export interface SpaceLimits {
  readonly quotaBytes: number;
  readonly totalQuotaBytes: number;
}

/** Takes room, if there is: the first three steps of a unit. */
export function takeSpace(query: Kysely<MediaTables>, change: SpaceChange, limits: SpaceLimits): readonly WriteStep[] {
  const scopes = [scopeOf(change.owner), TOTAL];
  const ensure = query
    .insertInto('space')
    .values(scopes.map((scope) => ({ scope, used_bytes: 0 })))
    .onConflict((conflict) => conflict.column('scope').doNothing());
  return [
    { query: ensure.compile() },
    addWithin(query, scopeOf(change.owner), change.ownerBytes, limits.quotaBytes),
    addWithin(query, TOTAL, change.totalBytes, limits.totalQuotaBytes),
  ];
}

/** Changes what is counted without asking for limits: for room taken before, or given back. */
export function moveSpace(query: Kysely<MediaTables>, change: SpaceChange): readonly WriteStep[] {
  const add = (scope: string, bytes: number): WriteStep => ({
    query: query
      .updateTable('space')
      .set((eb) => ({ used_bytes: eb('used_bytes', '+', bytes) }))
      .where('scope', '=', scope)
      .compile(),
    expectChanges: 1,
  });
  const steps: WriteStep[] = [];
  if (change.ownerBytes !== 0) steps.push(add(scopeOf(change.owner), change.ownerBytes));
  if (change.totalBytes !== 0) steps.push(add(TOTAL, change.totalBytes));
  return steps;
}

function addWithin(query: Kysely<MediaTables>, scope: string, bytes: number, limitBytes: number): WriteStep {
  const update = query.updateTable('space').set((eb) => ({ used_bytes: eb('used_bytes', '+', bytes) }));
  const bounded = bytes > 0 ? update.where('used_bytes', '<=', limitBytes - bytes) : update;
  return { query: bounded.where('scope', '=', scope).compile(), expectChanges: 1 };
}

/** What a refusal of `takeSpace` means; undefined when another step of the unit was refused. */
function spaceRefusal(error: unknown, change: SpaceChange, limits: SpaceLimits): AppError | undefined {
  if (!(error instanceof WriteRefused) || error.step > 2) return undefined;
  return error.step === 1 ? noQuota(change.ownerBytes, limits.quotaBytes) : noRoom(change.totalBytes);
}

/** Writes a unit that begins with `takeSpace`. @throws NoSpace, or what `Rows.write` throws */
export async function writeWithin(
  rows: Rows<MediaTables>,
  unit: readonly WriteStep[],
  change: SpaceChange,
  limits: SpaceLimits,
): Promise<void> {
  try {
    await rows.write(unit);
  } catch (error) {
    throw spaceRefusal(error, change, limits) ?? error;
  }
}

export function noQuota(sizeBytes: number, quotaBytes: number): NoSpace {
  const quota = formatBytes(quotaBytes);
  return new NoSpace(`your quota of ${quota} has no room for this; delete something first`, { sizeBytes, quotaBytes });
}

export function noRoom(sizeBytes: number): NoSpace {
  return new NoSpace('this server has no room for this', { sizeBytes });
}
