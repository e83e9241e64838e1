/** Which viewer a MIME type gets. Only types a browser shows safely in an element count; all else is a download. */
export type MediaKind = 'video' | 'audio' | 'image' | 'document' | 'archive' | 'other';

const IMAGES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp', 'image/apng']);
const ARCHIVES = /zip|compressed|x-tar|gzip|x-7z|x-rar|x-bzip|zstd|x-xz|iso9660/;
const DOCUMENTS = /^text\/|pdf|msword|officedocument|opendocument|epub|json|xml/;

/** SVG counts as a document: it is active content and never shown inline. */
export function kindOf(mimeType: string): MediaKind {
  const type = mimeType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type.startsWith('video/') || type === 'application/x-matroska') return 'video';
  if (type.startsWith('audio/') || type === 'application/ogg') return 'audio';
  if (IMAGES.has(type)) return 'image';
  if (ARCHIVES.test(type)) return 'archive';
  if (type.startsWith('image/svg') || DOCUMENTS.test(type)) return 'document';
  return 'other';
}
