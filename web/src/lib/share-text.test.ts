import { expect, test } from 'vitest';
import { parseSha256 } from '../../../src/base/ids.ts';
import { embedCode, pageLink } from './share-text.ts';

const hash = parseSha256('ab'.repeat(32));

test('the link is the page of the medium', () => {
  expect(pageLink('https://seed.example', hash)).toBe(`https://seed.example/m/${hash}`);
});

test('a name cannot break out of the embed code', () => {
  const code = embedCode('https://seed.example', hash, '"><script>alert(1)</script>&');
  expect(code).toContain('title="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;"');
  expect(code.match(/<(?!\/?iframe)/)).toBeNull();
});

test('the embed code shows the bare player', () => {
  expect(embedCode('https://seed.example', hash, 'film')).toContain(`src="https://seed.example/embed/${hash}"`);
});
