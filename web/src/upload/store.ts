/** The uploads of this tab: one manager, wired to the browser. Loaded when there is something to upload. */
import { systemClock } from '../../../src/base/clock.ts';
import type { Sha256 } from '../../../src/base/ids.ts';
import { ApiFailed } from '../api/http.ts';
import { mediumQuery, queryClient, recentMediaQuery, sessionQuery } from '../api/queries.ts';
import { reportProblem } from '../app/problems.ts';
import { seedFile, unseed } from '../app/swarm.ts';
import { rememberPosterOf } from '../lib/poster.ts';
import { claimUpload } from './claim.ts';
import { useUploads } from './list.ts';
import { UploadManager, type PickedFile } from './manager.ts';
import { pickFiles, reopenQuietly, reopenWithConsent } from './pick.ts';
import { browserRecords } from './records.ts';
import { terminate, transfer } from './tus.ts';

async function isStored(sha256: Sha256): Promise<boolean> {
  try {
    const medium = await queryClient.fetchQuery({ ...mediumQuery(sha256), retry: false });
    return medium.state === 'stored';
  } catch (error) {
    if (error instanceof ApiFailed) return false;
    throw error;
  }
}

export const uploads = new UploadManager({
  clock: systemClock,
  records: browserRecords(),
  newId: () => crypto.randomUUID(),
  seed: async (file, options) => {
    const seeded = await seedFile(file, options);
    await rememberPosterOf(file, seeded.sha256);
    return seeded;
  },
  unseed,
  transfer: async (job, listener, signal) => {
    await transfer(job, listener, signal);
    await Promise.all([
      queryClient.invalidateQueries({ queryKey: recentMediaQuery.queryKey }),
      queryClient.invalidateQueries({ queryKey: mediumQuery(job.hash.sha256).queryKey }),
      queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey }),
    ]);
  },
  terminate,
  isStored,
  claim: claimUpload,
  reopen: reopenQuietly,
  show: (items) => useUploads.setState({ items }),
  report: reportProblem,
});

/** Opens the picker and takes what the user chose. */
export async function pickAndUpload(): Promise<void> {
  uploads.add(await pickFiles(true));
}

/** Gets the file of an upload again: with the user's consent through its handle, else by the picker. @throws HashMismatch */
export async function provideFile(id: string, how: 'ask' | 'pick'): Promise<void> {
  const picked = how === 'ask' ? await reopened(uploads.handleOf(id)) : undefined;
  const chosen = picked ?? (await pickFiles(false))[0];
  if (chosen !== undefined) uploads.provide(id, chosen);
}

async function reopened(handle: FileSystemFileHandle | undefined): Promise<PickedFile | undefined> {
  if (handle === undefined) return undefined;
  const file = await reopenWithConsent(handle);
  return file === undefined ? undefined : { file, handle };
}
