/**
 * The public listener. Byte paths (blobs, uploads, torrents, announces, the web app) are matched first and answered
 * without the framework; the rest of `/api` goes to Fastify. Which host serves blobs is decided here.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { Accounts } from '../accounts/accounts.ts';
import type { ServerInfo } from '../base/api.ts';
import type { Clock } from '../base/clock.ts';
import { Cancelled, InvalidInput, NotFound } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { HttpTracker } from '../tracker/http.ts';
import type { SignalHub } from '../tracker/signal-hub.ts';
import { createApi } from './api/app.ts';
import { BlossomDoor } from './blossom/door.ts';
import { inviteBody, openBody } from './body.ts';
import { answerPreflight, BLOSSOM_CORS } from './cors.ts';
import { BufferPool } from './delivery/buffer-pool.ts';
import { DeliveryDoor } from './delivery/door.ts';
import type { Exchange } from './delivery/sender.ts';
import { describeMedium, type PublicUrls, type SwarmCounter } from './describe.ts';
import { MethodNotAllowed, sendError, statusOf } from './errors.ts';
import { DEFAULT_LIMITS, type HttpLimits } from './limits.ts';
import { boundedServer, listen, refuseUpgrade, stopListening } from './listener.ts';
import { HttpMetrics } from './metrics.ts';
import { MultipartDoor } from './multipart/door.ts';
import type { MediaPort } from './ports.ts';
import { remoteHostOf } from './remote.ts';
import { SignatureBudget } from './signature-budget.ts';
import { joinTarget, routeOf, splitTarget, type Route, type Target } from './target.ts';
import { answerTracker } from './torrent/announce.ts';
import { answerMetainfo } from './torrent/metainfo.ts';
import { SignallingDoor } from './torrent/signalling.ts';
import { TusDoor } from './tus/door.ts';
import type { Assets } from './web/assets.ts';
import { WebDoor } from './web/door.ts';

export interface HttpSettings {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly urls: PublicUrls;
  /** Name of this server, shown to visitors. */
  readonly siteName: string;
  readonly version: string;
  readonly maxUploadBytes: number;
  readonly iceServers: ServerInfo['iceServers'];
  /** Believe `X-Forwarded-For` of a reverse proxy on loopback. */
  readonly trustProxy: boolean;
  readonly limits?: Partial<HttpLimits>;
}

export interface HttpDeps {
  readonly media: MediaPort;
  readonly accounts: Accounts;
  /** What the tracker knows of swarms: the registry. */
  readonly swarms: SwarmCounter;
  readonly tracker: HttpTracker;
  readonly hub: SignalHub;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  /** The built web app (`loadAssets`); empty where there is none. */
  readonly assets: Assets;
  readonly settings: HttpSettings;
}

export interface Http {
  /** Compiles what requests need, which holds up the event loop: while nobody can be waiting yet. Idempotent. */
  prepare(): Promise<void>;
  /** Resolves with the port. @throws ListenFailed */
  listen(): Promise<number>;
  /** Accepts nothing more, lets streams run on for the grace time, then cuts them. */
  close(): Promise<void>;
}

export function createHttp(deps: HttpDeps): Http {
  return new HttpServer(deps);
}

class HttpServer implements Http {
  readonly #deps: HttpDeps;
  readonly #limits: HttpLimits;
  readonly #server: Server;
  readonly #stopping = new AbortController();
  readonly #metrics: HttpMetrics;
  readonly #doors: Doors;
  readonly #signalling: SignallingDoor;
  readonly #signatures: SignatureBudget;
  readonly #mediaHost: string | undefined;

  constructor(deps: HttpDeps) {
    const { settings } = deps;
    this.#deps = deps;
    this.#limits = { ...DEFAULT_LIMITS, ...settings.limits };
    this.#metrics = new HttpMetrics(deps.registry);
    const { publicUrl, mediaUrl } = settings.urls;
    this.#mediaHost = mediaUrl === publicUrl ? undefined : new URL(mediaUrl).host;
    this.#server = boundedServer({
      limits: this.#limits,
      clock: deps.clock,
      onRequest: (request, response) => this.#dispatch({ request, response }),
      onUpgrade: (request, socket, head) => this.#upgrade(request, socket, head),
    });
    this.#signalling = new SignallingDoor({ ...deps, ...settings });
    this.#signatures = new SignatureBudget(deps.clock);
    this.#doors = this.#openDoors();
  }

  async prepare(): Promise<void> {
    await this.#doors.api.app.ready();
  }

  async listen(): Promise<number> {
    await this.prepare();
    this.#signalling.start();
    const { host, port } = this.#deps.settings;
    return await listen(this.#server, host, port);
  }

  async close(): Promise<void> {
    this.#signalling.close();
    await stopListening(this.#server, this.#limits.graceMs, this.#deps.clock);
    this.#stopping.abort(new Cancelled('the server stops'));
    await this.#doors.api.app.close();
  }

  #openDoors(): Doors {
    const { media, accounts, swarms, clock, assets, settings } = this.#deps;
    const { urls, maxUploadBytes } = settings;
    const shared = {
      ...this.#deps,
      ...settings,
      stopping: this.#stopping.signal,
      openBody: ({ request, response }: Exchange) => openBody(request, response, clock, this.#limits.body),
    };
    return {
      delivery: new DeliveryDoor({
        media,
        pool: new BufferPool(),
        onBytes: (count) => this.#metrics.countBytes(count),
      }),
      blossom: new BlossomDoor(shared),
      tus: new TusDoor({ ...shared, maxUploadBytes }),
      multipart: new MultipartDoor({
        ...shared,
        describe: (medium, claim) =>
          describeMedium(medium, urls, swarms, { claim, owners: media.ownersOf(medium.sha256) }),
      }),
      web: new WebDoor(shared, assets),
      api: createApi(
        {
          ...shared,
          accounts,
          trackerUrl: urls.trackers[0] ?? '',
          maxJsonBytes: this.#limits.maxJsonBytes,
          onFailure: (error) => this.#deps.log.error('http.failed', { door: 'api', error }),
        },
        this.#server,
      ),
    };
  }

  #dispatch(exchange: Exchange): void {
    const target = splitTarget(exchange.request.url);
    if (target === undefined) {
      sendError(exchange.response, new InvalidInput('the request target is not a path'));
      return;
    }
    const route = routeOf(target.path);
    this.#metrics.watch(exchange, route.kind);
    this.#answer(exchange, target, route).catch((error: unknown) => {
      if (error instanceof Cancelled) this.#deps.log.debug('http.cancelled', { door: route.kind });
      else if (statusOf(error) >= 500) this.#deps.log.error('http.failed', { door: route.kind, error });
      sendError(exchange.response, error, isForAllOrigins(route) ? BLOSSOM_CORS : {});
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const isSignalling = splitTarget(request.url)?.path === '/announce' && !this.#isMediaHost(request);
    if (isSignalling) this.#signalling.upgrade(request, socket, head);
    else refuseUpgrade(socket);
  }

  async #answer(exchange: Exchange, target: Target, route: Route): Promise<void> {
    const doors = this.#doors;
    const { request } = exchange;
    if (request.headers.authorization !== undefined) {
      this.#signatures.spend(remoteHostOf(request, this.#deps.settings.trustProxy));
    }
    if (route.kind !== 'blob' && this.#isMediaHost(request)) throw new NotFound('this host serves blobs only');
    switch (route.kind) {
      case 'blob':
        return await this.#answerBlob(exchange, target, route);
      case 'blossom-upload':
        return await doors.blossom.upload(exchange);
      case 'blossom-list':
        return await doors.blossom.list(exchange, route.pubkey, target.query);
      case 'blossom-absent':
        return doors.blossom.absent(exchange);
      case 'tus':
        return await doors.tus.answer(exchange, target);
      case 'media-collection':
        if (request.method === 'POST') return await doors.multipart.answer(exchange);
        return this.#answerApi(exchange);
      case 'metainfo':
        return answerMetainfo({ ...this.#deps, ...this.#deps.settings }, exchange, route.infoHash);
      case 'announce':
      case 'scrape':
        return answerTracker({ ...this.#deps, ...this.#deps.settings }, exchange, route.kind, target.query);
      case 'api':
        return this.#answerApi(exchange);
      case 'web':
        return doors.web.answer(exchange, target);
    }
  }

  async #answerBlob(exchange: Exchange, target: Target, { sha256 }: Route & { kind: 'blob' }): Promise<void> {
    const { request, response } = exchange;
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        if (this.#isElsewhere(request)) {
          return redirectTo(response, this.#deps.settings.urls.mediaUrl + joinTarget(target));
        }
        return await this.#doors.delivery.answer(exchange, sha256, target.query);
      case 'DELETE':
        return await this.#doors.blossom.remove(exchange, sha256);
      case 'OPTIONS':
        return answerPreflight(response);
      case undefined:
      default:
        throw new MethodNotAllowed(request.method, ['GET', 'HEAD', 'DELETE', 'OPTIONS']);
    }
  }

  /** JSON bodies are small: one that has not arrived in time loses its connection. */
  #answerApi({ request, response }: Exchange): void {
    inviteBody(request, response);
    if (!request.complete) {
      const cancel = this.#deps.clock.after(this.#limits.jsonTimeoutMs, () => {
        if (!request.complete) request.socket.destroy();
      });
      response.once('close', cancel);
    }
    this.#doors.api.handle(request, response);
  }

  /** Blobs have a host of their own and this request was not made to it. */
  #isElsewhere(request: IncomingMessage): boolean {
    return this.#mediaHost !== undefined && !this.#isMediaHost(request);
  }

  #isMediaHost(request: IncomingMessage): boolean {
    return this.#mediaHost !== undefined && request.headers.host?.toLowerCase() === this.#mediaHost;
  }
}

interface Doors {
  readonly delivery: DeliveryDoor;
  readonly blossom: BlossomDoor;
  readonly tus: TusDoor;
  readonly multipart: MultipartDoor;
  readonly web: WebDoor;
  readonly api: {
    readonly app: FastifyInstance;
    readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  };
}

/** Pages of other origins may read what these doors say, refusals included. */
function isForAllOrigins({ kind }: Route): boolean {
  return kind !== 'web' && kind !== 'announce' && kind !== 'scrape';
}

/** 307 keeps the method; the target has the same hash, as BUD-01 asks. */
function redirectTo(response: ServerResponse, location: string): void {
  response.writeHead(307, { ...BLOSSOM_CORS, location, 'cache-control': 'no-cache', 'content-length': 0 });
  response.end();
}
