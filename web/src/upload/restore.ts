/** Brings unfinished uploads of earlier visits back, on whatever page the visit begins; loads nothing where there are none. */
import { hasRecords } from './records.ts';

/** Resolves when they run or wait for their files. @throws ApiFailed */
export async function restoreUploads(): Promise<void> {
  if (!(await hasRecords())) return;
  const { uploads } = await import('./store.ts');
  await uploads.restore();
}
