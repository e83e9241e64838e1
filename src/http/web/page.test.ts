import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSha256 } from '../../base/ids.ts';
import { escapeHtml, injectPreview } from './page.ts';

const TEMPLATE = '<html><head><title>Seedbed</title></head><body><p>app</p></body></html>';
const sha256 = parseSha256('ab'.repeat(32));
const urls = { publicUrl: 'https://seedbed.example', mediaUrl: 'https://media.example', trackers: [] };
const preview = (name: string, type = 'video/mp4') =>
  injectPreview(TEMPLATE, { medium: { sha256, type, name }, urls, siteName: 'Our server' });

test('text is escaped for text and attributes', () => {
  expect(escapeHtml(`<a href="x" title='y'>&amp;`)).toBe('&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp;');
});

test('the bytes come from the media origin, the page and the frame from the app', () => {
  const html = preview('clip.mp4');
  expect(html).toContain(`<meta property="og:video" content="https://media.example/${sha256}.mp4">`);
  expect(html).toContain(`<meta property="og:url" content="https://seedbed.example/m/${sha256}">`);
  expect(html).toContain(`<meta name="twitter:player" content="https://seedbed.example/embed/${sha256}">`);
});

test.each([
  ['audio/mpeg', 'og:audio'],
  ['image/png', 'og:image'],
  ['video/webm', 'og:video'],
])('a preview of %s has %s', (type, tag) => expect(preview('a', type)).toContain(`property="${tag}"`));

test.each(['image/svg+xml', 'text/html', 'application/pdf'])('a preview of %s shows nothing of its content', (type) => {
  expect(preview('a', type)).not.toMatch(/og:(?:image|video|audio)/);
});

test('whatever the name, the page keeps its shape', () => {
  const shape = (html: string): string => html.replaceAll(/"[^"]*"/g, '""').replaceAll(/>[^<]*</g, '><');
  const plain = shape(preview('name'));
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      expect(shape(preview(name))).toBe(plain);
    }),
  );
});
