/** One tab works on an upload: the first that takes its lock, until it is closed. */

/** True when this tab has the upload now; false when another tab has it. Browsers without Web Locks have one tab at a time. */
export function claimUpload(id: string): Promise<boolean> {
  if (!('locks' in navigator)) return Promise.resolve(true);
  return new Promise((resolve, reject) => {
    const held = navigator.locks.request(`seedbed-upload-${id}`, { ifAvailable: true }, async (lock) => {
      resolve(lock !== null);
      // Held for the life of the tab: the browser releases it with the page.
      if (lock !== null) await new Promise<never>(() => undefined);
    });
    held.catch(reject);
  });
}
