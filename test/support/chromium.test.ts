import { expect, test } from 'vitest';
import { openBrowser } from './chromium.ts';
import { requirePeer } from './peers.ts';

test('a browser opens with a profile of its own and reports what its pages complain about', async (context) => {
  await using browser = await openBrowser({ executablePath: requirePeer(context, 'chromium') });
  const page = await browser.newPage();
  await page.setContent('<title>hello</title><script>console.error("a complaint")</script>');
  expect(await page.title()).toBe('hello');
  expect(browser.problems).toEqual(['a complaint']);
});
