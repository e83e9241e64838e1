/** What people copy to share a medium. Pure; names are escaped where they enter markup. */
import type { Sha256 } from '../../../src/base/ids.ts';

/** The page of a medium on this site. */
export function pageLink(origin: string, sha256: Sha256): string {
  return `${origin}/m/${sha256}`;
}

function escapeAttribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** An iframe of the bare player, 16:9 and as wide as its place. */
export function embedCode(origin: string, sha256: Sha256, name: string): string {
  const attributes = [
    `src="${escapeAttribute(`${origin}/embed/${sha256}`)}"`,
    `title="${escapeAttribute(name)}"`,
    'style="width:100%;aspect-ratio:16/9;border:0"',
    'allow="autoplay; fullscreen; picture-in-picture"',
    'allowfullscreen',
  ];
  return `<iframe ${attributes.join(' ')}></iframe>`;
}
