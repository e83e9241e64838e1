/**
 * The app's HTML with what link previews read (Open Graph, Twitter, oEmbed) put in for one medium. Names come from
 * strangers: everything is escaped, nothing of a name ever stands outside an attribute value or the title's text.
 */
import type { Medium } from '../../media/medium.ts';
import { fileName } from '../delivery/disposition.ts';
import { isShownInline, servedType } from '../delivery/content-type.ts';
import { blobUrl, pageUrl, type PublicUrls } from '../describe.ts';

/** What a preview is made of. */
export interface PreviewSubject {
  readonly medium: Pick<Medium, 'sha256' | 'type' | 'name'>;
  readonly urls: PublicUrls;
  /** Name of this server. */
  readonly siteName: string;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for HTML text and double-quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** `template` with the subject's title and meta tags; what is not found in the template is left out. */
export function injectPreview(template: string, subject: PreviewSubject): string {
  const title = fileName(subject.medium.name, subject.medium.sha256.slice(0, 12));
  const head = `${metaTags(subject, title)}</head>`;
  return template
    .replace(/<title>[^<]*<\/title>/, () => `<title>${escapeHtml(`${title} · ${subject.siteName}`)}</title>`)
    .replace('</head>', () => head);
}

/** URL of the frame that shows only the player. */
export function embedUrl(urls: PublicUrls, sha256: string): string {
  return `${urls.publicUrl}/embed/${sha256}`;
}

function metaTags({ medium, urls, siteName }: PreviewSubject, title: string): string {
  const page = pageUrl(urls, medium.sha256);
  const shared: [string, string][] = [
    ['og:title', title],
    ['og:site_name', siteName],
    ['og:url', page],
    ['twitter:title', title],
    ...kindTags(medium, urls),
  ];
  const oembed = `${urls.publicUrl}/api/v1/oembed?url=${encodeURIComponent(page)}`;
  return [
    ...shared.map(([name, content]) => metaTag(name, content)),
    `<link rel="canonical" href="${escapeHtml(page)}">`,
    `<link rel="alternate" type="application/json+oembed" href="${escapeHtml(oembed)}" title="${escapeHtml(title)}">`,
  ].join('');
}

function metaTag(name: string, content: string): string {
  const attribute = name.startsWith('og:') ? 'property' : 'name';
  return `<meta ${attribute}="${name}" content="${escapeHtml(content)}">`;
}

function kindTags(medium: PreviewSubject['medium'], urls: PublicUrls): [string, string][] {
  const url = blobUrl(urls, medium);
  const type = servedType(medium.type);
  const kind = isShownInline(type) ? type.slice(0, type.indexOf('/')) : 'file';
  switch (kind) {
    case 'video':
      return [
        ['og:type', 'video.other'],
        ['og:video', url],
        ['og:video:type', type],
        ['twitter:card', 'player'],
        ['twitter:player', embedUrl(urls, medium.sha256)],
        ['twitter:player:width', '1280'],
        ['twitter:player:height', '720'],
      ];
    case 'audio':
      return [
        ['og:type', 'music.song'],
        ['og:audio', url],
        ['og:audio:type', type],
        ['twitter:card', 'summary'],
      ];
    case 'image':
      return [
        ['og:type', 'website'],
        ['og:image', url],
        ['og:image:type', type],
        ['twitter:card', 'summary_large_image'],
        ['twitter:image', url],
      ];
    default:
      return [
        ['og:type', 'website'],
        ['twitter:card', 'summary'],
      ];
  }
}
