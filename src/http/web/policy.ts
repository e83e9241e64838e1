/** Security headers of the app's pages: code only from our own hashed files, bytes only from us, no framing but embeds. */
import type { PublicUrls } from '../describe.ts';

/** Who may put the page in a frame. */
export type Framing = 'nobody' | 'anybody';

/** Headers of an HTML page of the app. */
export function pageHeaders(urls: PublicUrls, framing: Framing): Readonly<Record<string, string>> {
  return {
    'content-security-policy': contentSecurityPolicy(urls, framing),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'strict-origin-when-cross-origin',
    'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
    ...(framing === 'nobody' ? { 'x-frame-options': 'DENY' } : {}),
    ...(framing === 'nobody' && isTrustworthy(urls.publicUrl) ? { 'cross-origin-opener-policy': 'same-origin' } : {}),
  };
}

/** TLS or loopback: elsewhere browsers ignore some headers and complain of them (W3C Secure Contexts). */
function isTrustworthy(origin: string): boolean {
  const { protocol, hostname } = new URL(origin);
  return protocol === 'https:' || /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

/**
 * The policy as text. Styles may be inline (the player's shadow trees carry their own), scripts never; WebAssembly may
 * be compiled (hashing). Blobs people uploaded are never served as script, so `'self'` does not let them run.
 */
export function contentSecurityPolicy(urls: PublicUrls, framing: Framing): string {
  const socket = urls.publicUrl.replace(/^http/, 'ws');
  const bytes = [...new Set(["'self'", urls.publicUrl, urls.mediaUrl])].join(' ');
  const directives = [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self' blob:",
    "style-src 'self' 'unsafe-inline'",
    "font-src 'self'",
    "manifest-src 'self'",
    `img-src ${bytes} data: blob:`,
    `media-src ${bytes} blob:`,
    `connect-src ${bytes} ${socket} blob:`,
    "frame-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    `frame-ancestors ${framing === 'nobody' ? "'none'" : '*'}`,
  ];
  return directives.join('; ');
}
