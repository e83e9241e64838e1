/** Light, dark, or what the system says. `/theme.js` applies the same choice before the first paint. */
import { create } from 'zustand';
import { reportProblem } from './problems.ts';
import { readTheme, THEME_KEY, type Theme } from './theme-choice.ts';

interface ThemeState {
  readonly theme: Theme;
}

/** Browsers that refuse storage refuse it by throwing: the choice then holds for this visit only. */
function storedTheme(): Theme {
  try {
    return readTheme(localStorage);
  } catch (error) {
    reportProblem(error);
    return 'system';
  }
}

export const useTheme = create<ThemeState>(() => ({ theme: storedTheme() }));

export function chooseTheme(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme;
  useTheme.setState({ theme });
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch (error) {
    reportProblem(error);
  }
}
