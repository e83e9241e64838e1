/** Request bodies as the use cases want them: stoppable, and with every failure an AppError. */
import { AppError, Cancelled } from '../base/errors.ts';

/** Passes the chunks on until the signal aborts, also while it waits for one. @throws Cancelled */
export async function* stoppable(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(new Cancelled('the upload was stopped', {}, { cause: signal.reason }));
  aborted.catch(() => undefined); // only ever seen through the race below
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    for (;;) {
      const next = await Promise.race([chunks.next(), aborted]);
      if (next.done === true) return;
      yield next.value;
    }
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
