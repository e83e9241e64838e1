/** Light, dark, or what the system says. `/theme.js` applies the same choice before the first paint. */
import { create } from 'zustand';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'seedbed.theme';
export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

/** The stored choice; anything else than a theme counts as `system`. */
export function readTheme(storage: Pick<Storage, 'getItem'>): Theme {
  const stored = storage.getItem(KEY);
  return THEMES.find((theme) => theme === stored) ?? 'system';
}

interface ThemeState {
  readonly theme: Theme;
}

export const useTheme = create<ThemeState>(() => ({ theme: readTheme(localStorage) }));

export function chooseTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  document.documentElement.dataset['theme'] = theme;
  useTheme.setState({ theme });
}
