/** A page's side of the service worker: registration, and the moment from which it answers `/stream/…`. */
import type { Clock } from '../../../src/base/clock.ts';
import { KEEP_SHELL } from './stream-protocol.ts';

/** A first visit waits so long for the service worker to take control before media come straight from the server. */
const CONTROL_TIMEOUT_MS = 1_500;

/** Whether requests of this page go through the service worker. Not on a hard reload, and not in every browser. */
export function isControlled(): boolean {
  return 'serviceWorker' in navigator && navigator.serviceWorker.controller !== null;
}

/** Registers `/sw.js` for the whole site. Resolves with whether it controls this page, at the latest after 1.5 s. */
export async function takeServiceWorker(clock: Clock): Promise<boolean> {
  if (!('serviceWorker' in navigator)) return false;
  try {
    const registration = await navigator.serviceWorker.register('/sw.js', { scope: '/', updateViaCache: 'none' });
    await controlled(clock);
    const keepShell = (): void => (navigator.serviceWorker.controller ?? registration.active)?.postMessage(KEEP_SHELL);
    if (document.readyState === 'complete') keepShell();
    else globalThis.addEventListener('load', keepShell, { once: true });
  } catch (error) {
    // Refused by the browser's settings, or no such file in development: the app works without.
    if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
  }
  return isControlled();
}

function controlled(clock: Clock): Promise<void> {
  if (isControlled()) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      navigator.serviceWorker.removeEventListener('controllerchange', done);
      resolve();
    };
    const cancel = clock.after(CONTROL_TIMEOUT_MS, done);
    navigator.serviceWorker.addEventListener('controllerchange', done);
  });
}
