/**
 * `Content-Disposition` with names people chose (RFC 6266, RFC 8187). The name is shown, never used as a path:
 * control characters, bidi overrides and separators go, and no name can end the header or the quoted string.
 */
import { displayName } from '../../codec/display-name.ts';

const MAX_NAME_BYTES = 200;

/** The name as it may be shown and saved: one line, no separators, not empty, at most 200 UTF-8 bytes, extension kept. */
export function fileName(name: string, fallback: string): string {
  const extension = /\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0] ?? '';
  const stem = displayName(name.slice(0, name.length - extension.length));
  const short = clipUtf8(stem, MAX_NAME_BYTES - extension.length) + extension;
  return /^[._ ]*$/.test(short) ? fallback : short;
}

function clipUtf8(text: string, maxBytes: number): string {
  let kept = '';
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    kept += character;
  }
  return kept.trimEnd();
}

/** The header value; `fallback` is used where nothing of the name is left. */
export function contentDisposition(kind: 'inline' | 'attachment', name: string, fallback: string): string {
  const shown = fileName(name, fallback);
  const plain = shown.replace(/[^\x20-\x7e]/g, '_').replace(/["%]/g, '_');
  const parameter = `${kind}; filename="${plain}"`;
  return plain === shown ? parameter : `${parameter}; filename*=UTF-8''${encodeExtended(shown)}`;
}

/** `ext-value` of RFC 8187: encodeURIComponent leaves four characters that are not attr-char. */
function encodeExtended(text: string): string {
  return encodeURIComponent(text).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
