/** `GET /api/v1/oembed?url=`: how other sites embed a medium (oembed.com 1.0). */
import type { FastifyInstance } from 'fastify';
import { NotFound } from '../../base/errors.ts';
import { isSha256, type Sha256 } from '../../base/ids.ts';
import { fileName } from '../delivery/disposition.ts';
import { isShownInline, servedType } from '../delivery/content-type.ts';
import { blobUrl, pageUrl, type PublicUrls } from '../describe.ts';
import type { StoredMedia } from '../ports.ts';
import { embedUrl, escapeHtml } from '../web/page.ts';
import { answers, OEMBED_QUERY } from './schemas.ts';

export interface OembedDeps {
  readonly media: Pick<StoredMedia, 'find'>;
  readonly urls: PublicUrls;
  readonly siteName: string;
}

interface OembedQuery {
  readonly url: string;
  readonly maxwidth?: number;
  readonly maxheight?: number;
}

const WIDTH = 960;
const HEIGHT = 540;

export function registerOembed(api: FastifyInstance, { media, urls, siteName }: OembedDeps): void {
  const schema = {
    summary: 'oEmbed',
    querystring: OEMBED_QUERY,
    response: answers({ type: 'object', additionalProperties: true }),
  };
  api.get<{ Querystring: OembedQuery }>('/oembed', { schema }, async ({ query }) => {
    const sha256 = blobOfPage(query.url, urls);
    const medium = sha256 === undefined ? undefined : media.find(sha256);
    if (medium === undefined) throw new NotFound('this server has no such page');
    const width = Math.min(query.maxwidth ?? WIDTH, WIDTH);
    const height = Math.min(query.maxheight ?? HEIGHT, HEIGHT);
    const title = fileName(medium.name, medium.sha256.slice(0, 12));
    const shared = { version: '1.0', title, provider_name: siteName, provider_url: urls.publicUrl };
    if (medium.type.startsWith('image/') && isShownInline(servedType(medium.type))) {
      return { ...shared, type: 'photo', url: blobUrl(urls, medium), width, height };
    }
    const source = escapeHtml(embedUrl(urls, medium.sha256));
    const html = `<iframe src="${source}" width="${width}" height="${height}" style="border:0" allowfullscreen></iframe>`;
    return { ...shared, type: 'video', html, width, height };
  });
}

/** The medium whose page a URL is; undefined for other URLs. */
function blobOfPage(url: string, urls: PublicUrls): Sha256 | undefined {
  const sha256 = url.split(/[?#]/, 1)[0]?.slice(-64) ?? '';
  return isSha256(sha256) && url.startsWith(pageUrl(urls, sha256)) ? sha256 : undefined;
}
