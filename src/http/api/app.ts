/**
 * The JSON API under `/api/v1`, on Fastify: schemas in and out, OpenAPI from the same schemas. Handlers translate only.
 * It never listens by itself: the public listener hands it the requests that no byte path took.
 */
import { createHash } from 'node:crypto';
import type { RequestListener, Server } from 'node:http';
import swagger from '@fastify/swagger';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify';
import { InvalidInput, NotFound, TooLarge, UnsupportedType } from '../../base/errors.ts';
import { parseSha256, type Sha256 } from '../../base/ids.ts';
import { answerFor } from '../errors.ts';
import { answerUnreadable } from '../unreadable.ts';
import { ELSEWHERE } from './elsewhere.ts';
import { registerMedia, type MediaRouteDeps } from './media.ts';
import { registerMembers, type MemberDeps } from './members.ts';
import { registerOembed } from './oembed.ts';
import { registerServerInfo, type ServerInfoDeps } from './server-info.ts';
import { registerSession, type SessionDeps } from './session.ts';

export type ApiDeps = MediaRouteDeps &
  MemberDeps &
  ServerInfoDeps &
  SessionDeps & {
    readonly maxJsonBytes: number;
    /** Told of failures that are ours. */
    readonly onFailure: (error: unknown) => void;
  };

declare module 'fastify' {
  interface FastifyRequest {
    /** SHA-256 of the JSON body as it came, for NIP-98; undefined without a body. */
    bodySha256: Sha256 | undefined;
  }
}

/** Builds the API around a server of ours. Await `ready()` before the first request. */
export function createApi(
  deps: ApiDeps,
  server: Server,
): { readonly app: FastifyInstance; readonly handle: RequestListener } {
  const handlers: RequestListener[] = [];
  const app = Fastify({
    bodyLimit: deps.maxJsonBytes,
    clientErrorHandler: answerUnreadable,
    ajv: { customOptions: { removeAdditional: false } }, // a field nobody asked for is an error, not nothing
    serverFactory: (handler) => {
      handlers.push(handler);
      return server;
    },
  });
  app.decorateRequest('bodySha256', undefined);
  readJson(app);
  answerErrors(app, deps.onFailure);
  app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title: 'Seedbed', version: deps.version }, paths: ELSEWHERE },
  });
  app.register(async (api) => registerRoutes(api, deps), { prefix: '/api/v1' });
  return { app, handle: (request, response) => handlers[0]?.(request, response) };
}

async function registerRoutes(api: FastifyInstance, deps: ApiDeps): Promise<void> {
  api.addHook('onSend', async (_request, reply) => {
    reply.header('access-control-allow-origin', '*').header('x-content-type-options', 'nosniff');
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
  });
  api.options('/*', { schema: { hide: true } }, async (_request, reply) => {
    reply.header('access-control-allow-headers', 'Authorization, Content-Type');
    reply.header('access-control-allow-methods', 'GET, POST, PUT, DELETE');
    return await reply.header('access-control-max-age', '86400').code(204).send();
  });
  registerServerInfo(api, deps);
  registerSession(api, deps);
  registerMedia(api, deps);
  registerMembers(api, deps);
  registerOembed(api, deps);
  api.get('/openapi.json', { schema: { hide: true } }, async () => api.swagger());
}

/** JSON only, its hash taken from the bytes as they came. */
function readJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    request.bodySha256 = parseSha256(createHash('sha256').update(body).digest('hex'));
    try {
      return JSON.parse(body.toString('utf8')) as unknown;
    } catch (cause) {
      throw new InvalidInput('the body is not JSON', {}, { cause });
    }
  });
}

function answerErrors(app: FastifyInstance, onFailure: (error: unknown) => void): void {
  app.setNotFoundHandler(() => {
    throw new NotFound('the API has nothing at this address; see /api/v1/openapi.json');
  });
  app.setErrorHandler(async (failure: unknown, _request, reply) => {
    const { status, headers, body } = answerFor(fromFramework(failure));
    if (status >= 500) onFailure(failure);
    return await reply.code(status).headers(headers).header('access-control-allow-origin', '*').send(body);
  });
}

/** What the framework refuses by itself, in our words. */
function fromFramework(failure: unknown): unknown {
  const { code, statusCode, message, validation } = failure as Partial<FastifyError>;
  if (validation !== undefined) return new InvalidInput(message ?? 'the request does not fit the API');
  switch (code ?? '') {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new TooLarge('the JSON body is too large');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new UnsupportedType('send application/json');
    default:
      return code?.startsWith('FST_') === true && statusCode !== undefined && statusCode < 500
        ? new InvalidInput(message ?? 'the request cannot be read')
        : failure;
  }
}
