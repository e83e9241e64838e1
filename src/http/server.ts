/**
 * The public listener. Byte paths (blobs, uploads, torrents, announces, the web app) are matched first and answered
 * without the framework; the rest of `/api` goes to Fastify. Which host serves blobs is decided here.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { InvalidInput, NotFound } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { answerPreflight, BLOSSOM_CORS } from './cors.ts';
import { BufferPool } from './delivery/buffer-pool.ts';
import { DeliveryDoor } from './delivery/door.ts';
import type { Exchange } from './delivery/sender.ts';
import { MethodNotAllowed, sendError, statusOf } from './errors.ts';
import { DEFAULT_LIMITS, type HttpLimits } from './limits.ts';
import { boundedServer, listen, stopListening } from './listener.ts';
import type { StoredMedia } from './ports.ts';
import { joinTarget, routeOf, splitTarget, type Route, type Target } from './target.ts';

export interface HttpSettings {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Origin of the app, without a trailing slash. */
  readonly publicUrl: string;
  /** Origin of the blobs; equal to `publicUrl` where there is only one. */
  readonly mediaUrl: string;
  readonly limits?: Partial<HttpLimits>;
}

export interface HttpDeps {
  readonly media: StoredMedia;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: HttpSettings;
}

export interface Http {
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
  readonly #delivery: DeliveryDoor;
  readonly #mediaHost: string | undefined;

  constructor(deps: HttpDeps) {
    const { media, settings } = deps;
    this.#deps = deps;
    this.#limits = { ...DEFAULT_LIMITS, ...settings.limits };
    this.#delivery = new DeliveryDoor({ media, pool: new BufferPool() });
    this.#mediaHost = settings.mediaUrl === settings.publicUrl ? undefined : new URL(settings.mediaUrl).host;
    this.#server = boundedServer(
      this.#limits,
      (request, response) => this.#dispatch({ request, response }),
      (request, socket) => refuseUpgrade(request, socket),
    );
  }

  async listen(): Promise<number> {
    const { host, port } = this.#deps.settings;
    return await listen(this.#server, host, port);
  }

  async close(): Promise<void> {
    await stopListening(this.#server, this.#limits.graceMs, this.#deps.clock);
  }

  #dispatch(exchange: Exchange): void {
    const target = splitTarget(exchange.request.url);
    if (target === undefined) {
      sendError(exchange.response, new InvalidInput('the request target is not a path'));
      return;
    }
    const route = routeOf(target.path);
    this.#answer(exchange, target, route).catch((error: unknown) => {
      if (statusOf(error) >= 500) this.#deps.log.error('http.failed', { door: route.kind, error });
      sendError(exchange.response, error, isBlossom(route) ? BLOSSOM_CORS : {});
    });
  }

  async #answer(exchange: Exchange, target: Target, route: Route): Promise<void> {
    if (route.kind === 'blob') return await this.#answerBlob(exchange, target, route);
    throw new NotFound('there is nothing here');
  }

  async #answerBlob(exchange: Exchange, target: Target, route: Route & { kind: 'blob' }): Promise<void> {
    const { request, response } = exchange;
    if (request.method === 'OPTIONS') return answerPreflight(response);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new MethodNotAllowed(request.method, ['GET', 'HEAD', 'OPTIONS']);
    }
    if (this.#isElsewhere(request)) return redirectTo(response, this.#deps.settings.mediaUrl + joinTarget(target));
    await this.#delivery.answer(exchange, route.sha256, target.query);
  }

  /** Blobs have a host of their own and this request was not made to it. */
  #isElsewhere(request: IncomingMessage): boolean {
    return this.#mediaHost !== undefined && request.headers.host?.toLowerCase() !== this.#mediaHost;
  }
}

function isBlossom({ kind }: Route): boolean {
  return kind === 'blob' || kind.startsWith('blossom-');
}

/** 307 keeps the method; the target has the same hash, as BUD-01 asks. */
function redirectTo(response: ServerResponse, location: string): void {
  response.writeHead(307, { ...BLOSSOM_CORS, location, 'cache-control': 'no-cache', 'content-length': 0 });
  response.end();
}

function refuseUpgrade(_request: IncomingMessage, socket: Duplex): void {
  socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
}
