/**
 * `Content-Disposition` with names people chose (RFC 6266, RFC 8187). The name is shown, never used as a path:
 * control characters, bidi overrides and separators go, and no name can end the header or the quoted string.
 */
const MAX_NAME_BYTES = 200;
// oxlint-disable-next-line no-control-regex -- control characters are what is being removed
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff/\\]/g;

/** The name as it may be shown and saved: one line, no separators, not empty, at most 200 UTF-8 bytes. */
export function displayName(name: string, fallback: string): string {
  const clean = name.toWellFormed().replace(UNSAFE, '_').trim();
  const short = clipUtf8(clean, MAX_NAME_BYTES);
  return /^[._ ]*$/.test(short) ? fallback : short;
}

function clipUtf8(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const extension = /\.[A-Za-z0-9]{1,10}$/.exec(text)?.[0] ?? '';
  let kept = '';
  let bytes = extension.length;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    kept += character;
  }
  return kept.trimEnd() + extension;
}

/** The header value; `fallback` is used where nothing of the name is left. */
export function contentDisposition(kind: 'inline' | 'attachment', name: string, fallback: string): string {
  const shown = displayName(name, fallback);
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
