// Runs before the first paint so that a chosen theme never flashes; the app writes the same key (src/app/theme.ts).
try {
  const theme = localStorage.getItem('seedbed.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  document.documentElement.dataset.theme = 'system';
}
