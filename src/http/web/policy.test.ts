import { expect, test } from 'vitest';
import { contentSecurityPolicy, pageHeaders } from './policy.ts';

const urls = { publicUrl: 'https://seedbed.example', mediaUrl: 'https://media.example', trackers: [] };
const directives = (policy: string): Map<string, string> =>
  new Map(policy.split('; ').map((directive) => [directive.split(' ', 1)[0] ?? '', directive] as const));

test('scripts come from our own files only, never inline, never from where blobs are served', () => {
  const policy = directives(contentSecurityPolicy(urls, 'nobody'));
  expect(policy.get('script-src')).toBe("script-src 'self' 'wasm-unsafe-eval'");
  expect(policy.get('default-src')).toBe("default-src 'none'");
  expect(policy.get('base-uri')).toBe("base-uri 'none'");
});

test('bytes and the tracker socket are reached on both origins, nothing else', () => {
  const policy = directives(contentSecurityPolicy(urls, 'nobody'));
  const both = "'self' https://seedbed.example https://media.example";
  expect(policy.get('media-src')).toBe(`media-src ${both} blob:`);
  expect(policy.get('connect-src')).toBe(`connect-src ${both} wss://seedbed.example blob:`);
});

test('a page may not be framed; an embed may, by anybody', () => {
  expect(pageHeaders(urls, 'nobody')).toMatchObject({ 'x-frame-options': 'DENY' });
  expect(pageHeaders(urls, 'anybody')).not.toHaveProperty('x-frame-options');
  expect(contentSecurityPolicy(urls, 'anybody')).toContain('frame-ancestors *');
});

test.each([
  ['https://seedbed.example', true],
  ['http://127.0.0.1:24242', true],
  ['http://localhost:24242', true],
  ['http://192.168.1.5:24242', false],
])('on %s the opener is cut off: %s, since elsewhere browsers only complain', (publicUrl, isSent) => {
  const headers = pageHeaders({ ...urls, publicUrl }, 'nobody');
  expect('cross-origin-opener-policy' in headers).toBe(isSent);
});
