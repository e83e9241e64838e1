/**
 * The one door for outgoing requests. A name is resolved once, every address it has must be allowed, and exactly those
 * are dialled; each redirect starts over, as a stranger's word. Invariants: no request carries credentials; connections
 * are bounded and shared only between requests of the same standing; nothing is left after `close`.
 */
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { AddressPolicy, AddressSource } from '../../base/address-policy.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { Cancelled, throwIfAborted } from '../../base/errors.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { SECOND_MS } from '../../base/units.ts';
import { FetchFailed } from './fetch-failed.ts';
import { canonicalIp, type Lookup, Names, systemLookup } from './names.ts';
import { checkTarget, hostOf, parseTarget } from './target.ts';

const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const POOL = { keepAlive: true, maxSockets: 4, maxTotalSockets: 64, maxFreeSockets: 16, timeout: 30 * SECOND_MS };

/** Whom a guard lets through, and what it uses. */
export interface GuardOptions {
  readonly policy: AddressPolicy;
  readonly log?: Log;
  readonly clock?: Clock;
  /** Default: the system's resolver. */
  readonly lookup?: Lookup;
  /** Hears of hosts that were left out because of an address they have, perhaps more than once. */
  readonly leftOut?: (host: string) => void;
}

export interface RequestOptions {
  /** Who named the URL. */
  readonly source: AddressSource;
  /** Ends the request and, after the answer has come, its body. */
  readonly signal: AbortSignal;
  /** `bytes=0-9` */
  readonly range?: string;
}

export interface GuardedAnswer {
  readonly response: http.IncomingMessage;
  /** After redirects. */
  readonly url: URL;
  /** The IP literal that answered. */
  readonly address: string;
  /** All the host has, each of them allowed. */
  readonly addresses: readonly string[];
}

interface Agents {
  readonly 'http:': http.Agent;
  readonly 'https:': https.Agent;
}

/** Asks HTTP servers, and finds addresses of names, as far as its policy allows. */
export class Guard {
  readonly policy: AddressPolicy;
  readonly clock: Clock;
  readonly #log: Log;
  readonly #names: Names;
  readonly #leftOut: GuardOptions['leftOut'];
  /** Apart, because a connection made by a person's wish is none a stranger's URL may ride on. */
  readonly #agents: { readonly judged: Agents; readonly told: Agents } = { judged: newAgents(), told: newAgents() };

  constructor({ policy, log = silentLog, clock = systemClock, lookup = systemLookup, leftOut }: GuardOptions) {
    this.policy = policy;
    this.clock = clock;
    this.#log = log;
    this.#names = new Names(lookup, clock);
    this.#leftOut = leftOut;
  }

  /** The addresses of a host, each of them allowed. @throws FetchFailed when one is not, or there is none; Cancelled */
  async addressesOf(host: string, source: AddressSource, signal: AbortSignal): Promise<readonly string[]> {
    return this.#judge(host, signal, (address) => this.policy.allowsHost(address, source));
  }

  /** Sends a GET and follows redirects; the answer may have any other status. @throws FetchFailed, Cancelled */
  async request(start: URL, options: RequestOptions): Promise<GuardedAnswer> {
    const reached = new Set<string>();
    let url = start;
    for (let hop = 0; ; hop++) {
      const answer = await this.#hop(url, { ...options, source: hop === 0 ? options.source : 'told' }, reached);
      const { location } = answer.response.headers;
      if (!REDIRECTS.has(answer.response.statusCode ?? 0) || location === undefined) return answer;
      answer.response.destroy();
      reached.add(answer.address);
      if (hop === MAX_REDIRECTS) throw this.#refuse('redirects', url);
      url = parseTarget(location, url);
    }
  }

  /** Lets go of idle connections; those in use end with their requests. */
  close(): void {
    for (const agents of Object.values(this.#agents)) for (const agent of Object.values(agents)) agent.destroy();
  }

  async #hop(url: URL, options: RequestOptions, reached: ReadonlySet<string>): Promise<GuardedAnswer> {
    const { source, signal } = options;
    try {
      checkTarget(url, source);
    } catch (error) {
      throw error instanceof FetchFailed ? this.#refuse(error.reason, url) : error;
    }
    const allows = (address: string): boolean => this.policy.allowsHost(address, source) || reached.has(address);
    const addresses = await this.#judge(hostOf(url), signal, allows);
    const agents = source === 'judged' ? this.#agents.judged : this.#agents.told;
    return { ...(await sendAgain(url, addresses, agents, options)), url, addresses };
  }

  async #judge(host: string, signal: AbortSignal, allows: (address: string) => boolean): Promise<readonly string[]> {
    throwIfAborted(signal);
    const addresses = isIP(host) === 0 ? await this.#names.resolve(host, signal) : [canonicalIp(host)];
    const refused = addresses.find((address) => !allows(address));
    if (addresses.length > 0 && refused === undefined) return addresses;
    const reason = refused === undefined ? 'name' : 'address';
    if (refused !== undefined) this.#leftOut?.(host);
    this.#log.info('guard.refused', { reason, host, address: refused });
    throw new FetchFailed(reason);
  }

  #refuse(reason: FetchFailed['reason'], url: URL): FetchFailed {
    this.#log.info('guard.refused', { reason, host: url.host });
    return new FetchFailed(reason);
  }
}

function newAgents(): Agents {
  return { 'http:': new http.Agent(POOL), 'https:': new https.Agent(POOL) };
}

/** Answers every question with these addresses: nothing is resolved a second time. Literals are dialled as they are. */
export function pinned(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_host, { all: wantsAll }, done) => {
    const [first = { address: '', family: 0 }] = all;
    if (wantsAll === true) done(null, all);
    else done(null, first.address, first.family);
  };
}

/** A connection that was kept may have been closed by the other side meanwhile: that is no failure, the next one is tried. */
async function sendAgain(...request: Parameters<typeof send>): ReturnType<typeof send> {
  for (let kept = 0; ; kept++) {
    try {
      return await send(...request);
    } catch (error) {
      if (!(error instanceof StaleConnection) || kept > POOL.maxSockets) throw error;
    }
  }
}

/** A kept connection ended before its answer began. */
class StaleConnection extends FetchFailed {}

function send(
  url: URL,
  addresses: readonly string[],
  agents: Agents,
  { signal, range }: RequestOptions,
): Promise<Pick<GuardedAnswer, 'response' | 'address'>> {
  const isSecure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    throwIfAborted(signal);
    const request = (isSecure ? https : http).request(url, {
      agent: agents[isSecure ? 'https:' : 'http:'],
      lookup: pinned(addresses),
      headers: { 'accept-encoding': 'identity', 'user-agent': 'Seedbed', ...(range !== undefined && { range }) },
    });
    // Without an error: it would land on the socket, which may already be back in the pool.
    const abort = (): void => {
      request.destroy();
      reject(new Cancelled('the request was cancelled', {}, { cause: signal.reason }));
    };
    signal.addEventListener('abort', abort, { once: true });
    request.on('close', () => signal.removeEventListener('abort', abort));
    request.on('error', (cause) =>
      reject(
        request.reusedSocket ? new StaleConnection('connection', { cause }) : new FetchFailed('connection', { cause }),
      ),
    );
    request.on('response', (response) => {
      response.on('error', () => undefined); // whoever still reads gets it from the iterator
      resolve({ response, address: canonicalIp(response.socket.remoteAddress ?? '') });
    });
    request.end();
  });
}
