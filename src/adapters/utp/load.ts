/**
 * The way to uTP (BEP 29). It rests on a native library that does not exist for every system, so it is loaded at run time:
 * where that fails, everything but uTP works, and one line of the log says so.
 */
import type Utp from 'utp-native';
import type { Log } from '../../base/log.ts';

/** Undefined where the native library does not load; the log then has one `utp.unavailable`. */
export async function loadUtp(log: Log, load = importLibrary): Promise<typeof Utp | undefined> {
  try {
    return await load();
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n', 1).join() : String(error);
    log.info('utp.unavailable', { platform: `${process.platform}-${process.arch}`, reason });
    return undefined;
  }
}

async function importLibrary(): Promise<typeof Utp> {
  const { default: library } = await import('utp-native');
  return library;
}
