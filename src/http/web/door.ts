/** The web app: its files by exact path, its HTML for the app's routes, 404 for everything else. */
import type { ServerResponse } from 'node:http';
import { NotFound, Unavailable } from '../../base/errors.ts';
import { isSha256, type Sha256 } from '../../base/ids.ts';
import type { Exchange } from '../delivery/sender.ts';
import type { PublicUrls } from '../describe.ts';
import { MethodNotAllowed } from '../errors.ts';
import type { PendingMedia, StoredMedia } from '../ports.ts';
import type { Target } from '../target.ts';
import { chooseEncoding, weakEtag, type Asset, type Assets } from './assets.ts';
import { injectPreview, type PreviewSubject } from './page.ts';
import { pageHeaders, type Framing } from './policy.ts';

export interface WebDeps {
  readonly media: Pick<StoredMedia, 'find'> & PendingMedia;
  readonly urls: PublicUrls;
  readonly siteName: string;
}

/** Pages the app draws by itself; below some of them it has pages of its own. */
const APP_ROUTE = /^\/(?:|setup|(?:library|shares|seeding|settings|admin)(?:\/[\w./-]*)?)$/;
const MEDIUM_ROUTE = /^\/(m|embed)\/([0-9a-f]{64})$/;

export class WebDoor {
  readonly #deps: WebDeps;
  readonly #assets: Assets;
  readonly #template: string | undefined;

  constructor(deps: WebDeps, assets: Assets) {
    this.#deps = deps;
    this.#assets = assets;
    const index = assets.get('/index.html');
    this.#template = index === undefined ? undefined : new TextDecoder().decode(index.bytes.identity);
  }

  /** @throws NotFound, MethodNotAllowed, Unavailable */
  answer(exchange: Exchange, { path }: Target): void {
    const { request } = exchange;
    const page = this.#pageFor(path);
    const asset = page === undefined && path !== '/index.html' ? this.#assets.get(path) : undefined;
    if (page === undefined && asset === undefined) throw new NotFound('there is nothing at this address');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new MethodNotAllowed(request.method, ['GET', 'HEAD']);
    }
    if (asset !== undefined) this.#sendAsset(exchange, path, asset);
    else if (page !== undefined) this.#sendPage(exchange, page);
  }

  #pageFor(path: string): Page | undefined {
    const [, kind, sha256 = ''] = MEDIUM_ROUTE.exec(path) ?? [];
    if (isSha256(sha256)) return { framing: kind === 'embed' ? 'anybody' : 'nobody', medium: sha256 };
    return APP_ROUTE.test(path) ? { framing: 'nobody' } : undefined;
  }

  #sendAsset({ request, response }: Exchange, path: string, asset: Asset): void {
    const encoding = chooseEncoding(request.headers['accept-encoding'], asset);
    const headers = {
      etag: asset.etag,
      vary: 'Accept-Encoding',
      'cache-control': path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
      'x-content-type-options': 'nosniff',
      ...(path === '/sw.js' ? { 'service-worker-allowed': '/' } : {}),
    };
    if (isKnown(request.headers['if-none-match'], asset.etag)) return end(response, 304, headers);
    const bytes = asset.bytes[encoding] ?? asset.bytes.identity;
    const coded = encoding === 'identity' ? {} : { 'content-encoding': encoding };
    end(
      response,
      200,
      { ...headers, ...coded, 'content-type': asset.type, 'content-length': String(bytes.length) },
      bytes,
    );
  }

  /** An unknown medium is a 404 that still shows the app, which says so in the visitor's language. */
  #sendPage({ request, response }: Exchange, page: Page): void {
    if (this.#template === undefined) throw new Unavailable('the web app has not been built; run npm start');
    const { urls } = this.#deps;
    const subject = page.medium === undefined ? undefined : this.#subject(page.medium);
    const html = Buffer.from(subject === undefined ? this.#template : injectPreview(this.#template, subject));
    const etag = weakEtag(html);
    const headers = { ...pageHeaders(urls, page.framing), etag, 'cache-control': 'no-cache' };
    const status = page.medium !== undefined && subject === undefined ? 404 : 200;
    if (status === 200 && isKnown(request.headers['if-none-match'], etag)) return end(response, 304, headers);
    const body = { 'content-type': 'text/html; charset=utf-8', 'content-length': String(html.length) };
    end(response, status, { ...headers, ...body }, html);
  }

  #subject(sha256: Sha256): PreviewSubject | undefined {
    const { media, urls, siteName } = this.#deps;
    const medium = media.find(sha256);
    if (medium !== undefined) return { medium, urls, siteName };
    const pending = media.findPending(sha256);
    if (pending === undefined) return undefined;
    const type = pending.declaredType ?? 'application/octet-stream';
    return { medium: { sha256, type, name: pending.name }, urls, siteName };
  }
}

interface Page {
  readonly framing: Framing;
  readonly medium?: Sha256;
}

function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  return ifNoneMatch?.split(',').some((tag) => tag.trim() === etag) ?? false;
}

function end(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body?: Uint8Array,
): void {
  response.writeHead(status, headers);
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
