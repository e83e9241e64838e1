/** Request bodies as the use cases want them: stoppable, and with every failure an AppError. */
import { AppError, Cancelled } from '../base/errors.ts';

type Next = IteratorResult<Uint8Array, unknown>;

/** Passes the chunks on until the signal aborts, also while it waits for one. @throws Cancelled */
export async function* stoppable(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array, unknown> = body[Symbol.asyncIterator]();
  let giveUp: (error: Cancelled) => void = () => undefined;
  const abort = (): void => giveUp(new Cancelled('the upload was stopped', {}, { cause: signal.reason }));
  // A promise per chunk, and no race with one promise for all: that one would collect a reaction per chunk.
  const nextChunk = (): Promise<Next> =>
    new Promise((resolve, reject) => {
      giveUp = reject;
      if (signal.aborted) abort();
      else chunks.next().then(resolve, reject);
    });
  signal.addEventListener('abort', abort);
  try {
    for (let next = await nextChunk(); next.done !== true; next = await nextChunk()) yield next.value;
  } catch (error) {
    throw brokenOff(error);
  } finally {
    signal.removeEventListener('abort', abort);
    // Not awaited: a body that hangs would keep us here; its owner destroys it.
    chunks.return?.().catch(() => undefined);
  }
}

function brokenOff(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new Cancelled('the body broke off', {}, { cause: error });
}
