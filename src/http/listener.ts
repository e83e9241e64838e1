/**
 * One node:http server with its bounds set, and a stop that lets running answers finish. What requests mean is decided by
 * whoever hands in the handlers.
 */
import http, { type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Cancel, Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { SECOND_MS } from '../base/units.ts';
import type { HttpLimits } from './limits.ts';

/** The address cannot be listened on. */
export class ListenFailed extends AppError {
  override readonly code = 'listen_failed';
}

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface ListenerParts {
  readonly limits: HttpLimits;
  readonly clock: Clock;
  readonly onRequest: RequestListener;
  readonly onUpgrade: UpgradeListener;
}

/** How long an answered request may go on sending before its connection is cut, so that the answer gets through. */
const LINGER_MS = 2 * SECOND_MS;

/** A server with its timeouts and caps; nothing listens yet. */
export function boundedServer({ limits, clock, onRequest, onUpgrade }: ListenerParts): Server {
  const server = http.createServer({
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: 0, // an upload of 50 GB is one request; bodies are judged by their rate instead
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(5 * SECOND_MS, limits.headersTimeoutMs),
    noDelay: true,
  });
  server.maxConnections = limits.maxConnections;
  const latest = new WeakMap<Socket, ServerResponse>();
  const take: RequestListener = (request, response) => {
    latest.set(request.socket, response);
    cutLateBody(request, response, clock);
    onRequest(request, response);
  };
  server.on('request', take);
  server.on('checkContinue', take); // the door that wants the body says 100 Continue
  server.on('upgrade', onUpgrade);
  server.setTimeout(limits.stallTimeoutMs);
  server.on('timeout', (socket: Socket) => {
    const response = latest.get(socket);
    if (response === undefined || !isOwed(response)) socket.destroy();
  });
  capPerAddress(server, limits.maxConnectionsPerAddress);
  return server;
}

/**
 * Nothing moved for a while, but it is we who keep the client waiting (hashing a large upload): the request is all here,
 * or waits for us in our own buffer, and has no answer yet.
 */
function isOwed(response: ServerResponse): boolean {
  const { req: request } = response;
  return !response.headersSent && !response.closed && (request.complete || request.readableLength > 0);
}

/** An answer that came before the end of the body: what still comes is thrown away for a moment, then the line is cut. */
function cutLateBody(request: IncomingMessage, response: ServerResponse, clock: Clock): void {
  response.once('finish', () => {
    if (request.complete) return;
    const cancel = clock.after(LINGER_MS, () => {
      if (!request.complete) request.socket.destroy();
    });
    request.once('close', cancel);
  });
}

function capPerAddress(server: Server, maxPerAddress: number): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress;
    if (address === undefined || isLoopback(address)) return;
    const count = (open.get(address) ?? 0) + 1;
    if (count > maxPerAddress) {
      socket.destroy();
      return;
    }
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}

/** 127.0.0.0/8, ::1 and the IPv4-mapped form of the former. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./.test(address);
}

/** Resolves with the bound port. @throws ListenFailed naming the address. */
export async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: Error): void =>
      reject(new ListenFailed(`cannot listen on ${host}:${port}: ${cause.message}`, { host, port }, { cause }));
    server.once('error', failed);
    server.listen({ port, host }, () => {
      server.off('error', failed);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

/** How often connections are looked through for those that have become idle while stopping. */
const IDLE_SWEEP_MS = 100;

/** Accepts nothing more, lets running answers end for at most `graceMs`, then cuts what is left. */
export async function stopListening(server: Server, graceMs: number, clock: Clock): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  let cancelSweep: Cancel = () => undefined;
  const sweep = (): void => {
    server.closeIdleConnections();
    cancelSweep = clock.after(IDLE_SWEEP_MS, sweep);
  };
  sweep();
  const cancelGrace = clock.after(graceMs, () => server.closeAllConnections());
  await closed;
  cancelSweep();
  cancelGrace();
}

/** Tells a client that there is no protocol to switch to here. */
export function refuseUpgrade(socket: Duplex): void {
  socket.on('error', () => socket.destroy());
  socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
}
