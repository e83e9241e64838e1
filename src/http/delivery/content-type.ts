/**
 * How a blob's type is served. By default there is no second origin, so the headers alone must keep user content
 * from acting on ours (docs: SECURITY.md): only pictures, sound and film are shown inline; types a page could load as
 * script or style are sent as plain bytes.
 */
const INLINE_IMAGES = new Set([
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/apng',
  'image/bmp',
  'image/heic',
  'image/heif',
  'image/x-icon',
  'image/vnd.microsoft.icon',
]);
const TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}(?:;[ ]?[a-z0-9-]+=[A-Za-z0-9._-]+)*$/;
const LOADABLE =
  /^(?:text|application)\/(?:x-)?(?:java|ecma|j|live)script|^text\/css|^application\/(?:wasm|manifest\+json)|^application\/xslt/;
const BYTES = 'application/octet-stream';

/** The `Content-Type` to send for a stored type; anything malformed or loadable as code becomes plain bytes. */
export function servedType(storedType: string): string {
  const type = storedType.trim();
  if (!TYPE.test(type) || LOADABLE.test(type)) return BYTES;
  return type;
}

/** Whether a browser may show the type in place. */
export function isShownInline(type: string): boolean {
  const essence = type.split(';', 1)[0] ?? '';
  return INLINE_IMAGES.has(essence) || /^(?:video|audio)\/[a-z0-9.+-]+$/.test(essence);
}
