/** The stored choice of theme. Pure. */
export type Theme = 'system' | 'light' | 'dark';

export const THEME_KEY = 'seedbed.theme';
export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

/** Anything else than a theme counts as `system`. */
export function readTheme(storage: Pick<Storage, 'getItem'>): Theme {
  const stored = storage.getItem(THEME_KEY);
  return THEMES.find((theme) => theme === stored) ?? 'system';
}
