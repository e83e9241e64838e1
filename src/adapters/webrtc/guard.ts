/**
 * The border to the native library: an exception that leaves one of its callbacks aborts the whole process, so every
 * callback goes through a guard.
 */
import type { Log } from '../../base/log.ts';

/** Wraps a native callback: whatever it throws is logged as `webrtc.callback_failed`. */
export type Guard = <Args extends unknown[]>(
  name: string,
  callback: (...args: Args) => void,
) => (...args: Args) => void;

export function guardWith(log: Log): Guard {
  return (name, callback) =>
    (...args) => {
      try {
        callback(...args);
      } catch (error) {
        log.error('webrtc.callback_failed', { callback: name, error });
      }
    };
}
