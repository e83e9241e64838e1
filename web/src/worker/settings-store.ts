/** The user's settings for the swarm, in IndexedDB, so that every tab and every visit has the same. */
import { createStore, get, set } from 'idb-keyval';
import { InvalidInput } from '../../../src/base/errors.ts';
import { GIB } from '../../../src/base/units.ts';
import type { SwarmSettings } from '../swarm/types.ts';

export const DEFAULT_SETTINGS: SwarmSettings = {
  seedWhileWatching: true,
  httpOnly: false,
  uploadLimitBytesPerSec: 0,
  quotaBytes: 4 * GIB,
};

const KEY = 'settings';

/** The settings after a change. Unknown keys are dropped. @throws InvalidInput on numbers that are none, negative or fractional */
export function changedSettings(settings: SwarmSettings, change: Partial<SwarmSettings>): SwarmSettings {
  const { seedWhileWatching, httpOnly, uploadLimitBytesPerSec, quotaBytes } = { ...settings, ...change };
  for (const [name, value] of Object.entries({ uploadLimitBytesPerSec, quotaBytes }))
    if (!Number.isSafeInteger(value) || value < 0)
      throw new InvalidInput(`${name} must be a whole number ≥ 0`, { value });
  return { seedWhileWatching, httpOnly, uploadLimitBytesPerSec, quotaBytes };
}

export interface SettingsStore {
  load(): Promise<SwarmSettings>;
  save(settings: SwarmSettings): Promise<void>;
}

export function storedSettings(): SettingsStore {
  const store = createStore('seedbed-swarm-settings', 'settings');
  return {
    load: async () => ({ ...DEFAULT_SETTINGS, ...(await get<SwarmSettings>(KEY, store)) }),
    save: (settings) => set(KEY, settings, store),
  };
}
