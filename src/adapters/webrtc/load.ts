/**
 * The way to WebRTC in Node. It rests on a native library that does not exist for every system, so it is loaded at run time:
 * where that fails, everything but WebRTC works, and one line of the log says so.
 */
import type { Log } from '../../base/log.ts';
import type { RtcAnswerer } from './answerer.ts';
import type { RtcOfferer } from './offerer.ts';

export interface WebRtc {
  readonly RtcAnswerer: typeof RtcAnswerer;
  readonly RtcOfferer: typeof RtcOfferer;
}

/** Undefined where the native library does not load; the log then has one `webrtc.unavailable`. */
export async function loadWebRtc(log: Log): Promise<WebRtc | undefined> {
  try {
    const [{ RtcAnswerer: Answerer }, { RtcOfferer: Offerer }] = await Promise.all([
      import('./answerer.ts'),
      import('./offerer.ts'),
    ]);
    return { RtcAnswerer: Answerer, RtcOfferer: Offerer };
  } catch (error) {
    log.warn('webrtc.unavailable', { platform: `${process.platform}-${process.arch}`, reason: reasonOf(error) });
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.split('\n', 1).join() : String(error);
}
