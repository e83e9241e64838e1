/**
 * Ending several things, each of which may fail. Invariants: none is left open because another one failed, and no
 * failure is lost.
 */
import { SeveralFailed } from './errors.ts';

/** Waits until all have ended, well or not. @throws what one of them threw, SeveralFailed where it was more than one */
export async function endTogether(endings: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const ending of await Promise.allSettled(endings.map((one) => Promise.resolve(one))))
    if (ending.status === 'rejected') errors.push(ending.reason);
  throwAll(errors);
}

/** Ends one after the other, whatever became of those before. @throws as `endTogether` */
export async function endInTurn(endings: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const end of endings) {
    try {
      await end();
    } catch (error) {
      errors.push(error);
    }
  }
  throwAll(errors);
}

function throwAll(errors: readonly unknown[]): void {
  const flat = errors.flatMap((error) => (error instanceof SeveralFailed ? error.errors : [error]));
  const different = [...new Set(flat)]; // one that comes by two ways is one
  if (different.length > 1) throw new SeveralFailed(different);
  for (const error of different) throw error;
}
