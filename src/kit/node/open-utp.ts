/** uTP beside TCP: a port that cannot be had costs uTP, never the start. */
import type { UtpPort } from '../../adapters/utp/port.ts';
import { AppError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';

/** Binds the port; where that is not possible there is no uTP, and one line of the log says so. */
export async function openUtp(
  utp: UtpPort | undefined,
  host: string | undefined,
  port: number,
  log: Log,
): Promise<void> {
  try {
    await utp?.open(host, port);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    log.warn('utp.unavailable', { ...error.facts, reason: error.message });
  }
}
