/**
 * The operator's listener, on loopback: is it alive, is it ready, what does it count. It answers only for loopback host
 * names, so that a web page cannot reach it by rebinding its own name (DNS rebinding).
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { IncomingMessage, Server } from 'node:http';
import type { Registry } from 'prom-client';
import type { Clock } from '../base/clock.ts';
import { NotFound, Unavailable } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { SECOND_MS } from '../base/units.ts';
import type { Exchange } from './delivery/sender.ts';
import { MethodNotAllowed, Misdirected, sendError, statusOf } from './errors.ts';
import { DEFAULT_LIMITS, type HttpLimits } from './limits.ts';
import { boundedServer, listen, refuseUpgrade, stopListening } from './listener.ts';
import { splitTarget } from './target.ts';

/** One condition of being ready. */
export interface Readiness {
  /** Stable: `database`, `disk`, `store`. */
  readonly name: string;
  readonly isReady: boolean;
  readonly reason?: string;
}

export interface AdminDeps {
  readonly registry: Registry;
  readonly readiness: () => Promise<readonly Readiness[]>;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 = any free port. */
  readonly port: number;
  readonly limits?: Partial<HttpLimits>;
}

export interface Admin {
  /** Resolves with the port. @throws ListenFailed */
  listen(): Promise<number>;
  /** From now on `/readyz` says no, so that a load balancer looks elsewhere. */
  drain(): void;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;
/** A loop that was blocked for longer counts as dead. */
const MAX_LOOP_LAG_MS = SECOND_MS;
const LAG_RESOLUTION_MS = 20;

export function createAdmin(deps: AdminDeps): Admin {
  return new AdminServer(deps);
}

class AdminServer implements Admin {
  readonly #deps: AdminDeps;
  readonly #server: Server;
  readonly #lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  #isDraining = false;

  constructor(deps: AdminDeps) {
    this.#deps = deps;
    this.#server = boundedServer({
      limits: { ...DEFAULT_LIMITS, ...deps.limits },
      clock: deps.clock,
      onRequest: (request, response) => {
        this.#answer({ request, response }).catch((error: unknown) => {
          if (statusOf(error) >= 500 && !(error instanceof Unavailable)) deps.log.error('admin.failed', { error });
          sendError(response, error);
        });
      },
      onUpgrade: (_request, socket) => refuseUpgrade(socket),
    });
  }

  async listen(): Promise<number> {
    this.#lag.enable();
    return await listen(this.#server, HOST, this.#deps.port);
  }

  drain(): void {
    this.#isDraining = true;
  }

  async close(): Promise<void> {
    this.#lag.disable();
    await stopListening(this.#server, 0, this.#deps.clock);
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    refuseForeignHost(request);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw new MethodNotAllowed(request.method, ['GET', 'HEAD']);
    switch (splitTarget(request.url)?.path) {
      case '/livez':
        return this.#live(exchange);
      case '/readyz':
        return await this.#ready(exchange);
      case '/metrics':
        response.setHeader('content-type', this.#deps.registry.contentType);
        response.end(await this.#deps.registry.metrics());
        return;
      case undefined:
      default:
        throw new NotFound('the admin listener has /livez, /readyz and /metrics');
    }
  }

  #live({ response }: Exchange): void {
    const lagMs = Math.round(this.#lag.max / 1e6);
    this.#lag.reset();
    if (lagMs > MAX_LOOP_LAG_MS) throw new Unavailable('the event loop was blocked', { lagMs });
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ alive: true, lagMs }));
  }

  async #ready({ response }: Exchange): Promise<void> {
    if (this.#isDraining) throw new Unavailable('the server is stopping');
    const conditions = await this.#deps.readiness();
    const isReady = conditions.every((condition) => condition.isReady);
    response.setHeader('content-type', 'application/json');
    response.statusCode = isReady ? 200 : 503;
    response.end(JSON.stringify({ ready: isReady, conditions }));
  }
}

/** @throws Misdirected */
function refuseForeignHost(request: IncomingMessage): void {
  if (!LOOPBACK_HOST.test(request.headers.host ?? '')) {
    throw new Misdirected('the admin listener answers on loopback names only');
  }
}
