/** Parts of `/api/v1` that bypass the framework, described for the OpenAPI document all the same. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { API_ERROR, MEDIUM_INFO } from './schemas.ts';

type Paths = NonNullable<NonNullable<FastifyDynamicSwaggerOptions['openapi']>['paths']>;

const json = (schema: object) => ({ 'application/json': { schema } });
const refusals = {
  '4XX': { description: 'Refused', content: json(API_ERROR) },
  '5XX': { description: 'Failed', content: json(API_ERROR) },
};

const form = {
  type: 'object' as const,
  required: ['file'],
  properties: {
    sha256: { type: 'string' as const, description: 'before the file: checked; instant where the bytes are known' },
    file: { type: 'string' as const, format: 'binary' },
  },
};

/** Paths as OpenAPI writes them. */
export const ELSEWHERE: Paths = {
  '/api/v1/media': {
    post: {
      summary: 'Publish one file by form',
      requestBody: { required: true, content: { 'multipart/form-data': { schema: form } } },
      responses: {
        200: { description: 'The same bytes were here', content: json(MEDIUM_INFO) },
        201: { description: 'Published', content: json(MEDIUM_INFO) },
        ...refusals,
      },
    },
  },
  '/api/v1/uploads': {
    post: {
      summary: 'Begin a resumable upload (tus 1.0: creation, with upload, deferred length, expiration, termination)',
      externalDocs: { url: 'https://tus.io/protocols/resumable-upload' },
      responses: { 201: { description: 'Begun; Location says where to PATCH' }, ...refusals },
    },
  },
};
