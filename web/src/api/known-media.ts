/** What the server last said about media seen here, so that held media play without a network. At most MAX_KNOWN. */
import { createStore, delMany, entries, get, set, type UseStore } from 'idb-keyval';
import type { MediumInfo } from '../../../src/base/api.ts';
import type { Sha256 } from '../../../src/base/ids.ts';

const MAX_KNOWN = 500;
/** Forgotten together, so that not every new medium costs a look at all the others. */
const FORGET_AT_ONCE = 50;

interface KnownMedium {
  readonly medium: MediumInfo;
  readonly seenAtMs: number;
}

let opened: UseStore | undefined;
const store = (): UseStore => (opened ??= createStore('seedbed-media', 'media'));

/** Keeps the answer for later visits. */
export async function rememberMedium(medium: MediumInfo, nowMs: number): Promise<void> {
  if ((await get<KnownMedium>(medium.sha256, store())) === undefined) await makeRoom();
  await set(medium.sha256, { medium, seenAtMs: nowMs } satisfies KnownMedium, store());
}

/** The last answer for this medium. */
export async function recallMedium(sha256: Sha256): Promise<MediumInfo | undefined> {
  return (await get<KnownMedium>(sha256, store()))?.medium;
}

async function makeRoom(): Promise<void> {
  const known = await entries<string, KnownMedium>(store());
  if (known.length < MAX_KNOWN) return;
  const oldest = known.sort(([, a], [, b]) => a.seenAtMs - b.seenAtMs).slice(0, FORGET_AT_ONCE);
  await delMany(
    oldest.map(([key]) => key),
    store(),
  );
}
