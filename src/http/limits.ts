/** Bounds of the HTTP listeners. Every one has a default that an ordinary visitor never meets. */
import { SECOND_MS } from '../base/units.ts';
import { DEFAULT_BODY_LIMITS, type BodyLimits } from './body.ts';

export interface HttpLimits {
  /** From the first byte of a request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** An idle connection is kept so long for the next request. */
  readonly keepAliveMs: number;
  /** A connection on which nothing moves in either direction is cut after so long. */
  readonly stallTimeoutMs: number;
  /** From the headers to the end of a JSON body. */
  readonly jsonTimeoutMs: number;
  readonly maxJsonBytes: number;
  readonly maxConnections: number;
  /** Per remote address; loopback (a reverse proxy) is exempt. */
  readonly maxConnectionsPerAddress: number;
  /** How long streams may run on after `close` begins. */
  readonly graceMs: number;
  readonly body: BodyLimits;
}

export const DEFAULT_LIMITS: HttpLimits = {
  headersTimeoutMs: 15 * SECOND_MS,
  keepAliveMs: 10 * SECOND_MS,
  stallTimeoutMs: 120 * SECOND_MS,
  jsonTimeoutMs: 15 * SECOND_MS,
  maxJsonBytes: 64 * 1024,
  maxConnections: 8_192,
  maxConnectionsPerAddress: 512,
  graceMs: 20 * SECOND_MS,
  body: DEFAULT_BODY_LIMITS,
};
