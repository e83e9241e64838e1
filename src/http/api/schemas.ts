/** JSON schemas of `/api/v1`, in the words of `base/api.ts`; they check what comes in and are the OpenAPI document. */
const string = { type: 'string' } as const;
const bytes = { type: 'integer', minimum: 0, description: 'bytes' } as const;
const timeMs = { type: 'integer', description: 'ms since 1970' } as const;
const hex = (digits: number, description: string) =>
  ({ type: 'string', pattern: `^[0-9a-f]{${digits}}$`, description }) as const;

export const SHA256 = hex(64, 'SHA-256 of the bytes');
export const PUBKEY = hex(64, 'x-only secp256k1 public key (NIP-01)');

export const API_ERROR = {
  type: 'object',
  required: ['code', 'message'],
  properties: {
    code: { ...string, description: 'stable, snake_case' },
    message: { ...string, description: 'for people' },
    facts: { type: 'object', additionalProperties: true },
  },
} as const;

export const SERVER_INFO = {
  type: 'object',
  required: [
    'name',
    'version',
    'hasOwner',
    'uploads',
    'maxUploadBytes',
    'publicUrl',
    'mediaUrl',
    'trackerUrl',
    'iceServers',
  ],
  properties: {
    name: string,
    version: string,
    hasOwner: { type: 'boolean' },
    uploads: { type: 'string', enum: ['owner', 'members', 'anyone'] },
    maxUploadBytes: bytes,
    publicUrl: string,
    mediaUrl: string,
    trackerUrl: string,
    iceServers: {
      type: 'array',
      items: {
        type: 'object',
        required: ['urls'],
        properties: { urls: string, username: string, credential: string },
      },
    },
  },
} as const;

export const SESSION_INFO = {
  type: 'object',
  required: ['role', 'mayUpload', 'usedBytes', 'quotaBytes'],
  properties: {
    pubkey: PUBKEY,
    role: { type: 'string', enum: ['owner', 'member', 'guest'] },
    mayUpload: { type: 'boolean' },
    usedBytes: bytes,
    quotaBytes: bytes,
  },
} as const;

export const MEDIUM_INFO = {
  type: 'object',
  required: [
    'sha256',
    'sizeBytes',
    'type',
    'name',
    'state',
    'createdAtMs',
    'storedBytes',
    'url',
    'pageUrl',
    'swarm',
    'mayDelete',
  ],
  properties: {
    sha256: SHA256,
    sizeBytes: bytes,
    type: string,
    name: string,
    owner: PUBKEY,
    state: { type: 'string', enum: ['uploading', 'stored'] },
    createdAtMs: timeMs,
    storedBytes: bytes,
    url: string,
    pageUrl: string,
    torrent: {
      type: 'object',
      required: ['infoHash', 'magnet', 'torrentUrl', 'pieceLengthBytes', 'pieceCount'],
      properties: {
        infoHash: hex(40, 'BitTorrent v1 info hash'),
        magnet: string,
        torrentUrl: string,
        pieceLengthBytes: bytes,
        pieceCount: { type: 'integer', minimum: 1 },
      },
    },
    swarm: {
      type: 'object',
      required: ['seeders', 'leechers'],
      properties: { seeders: { type: 'integer' }, leechers: { type: 'integer' } },
    },
    mayDelete: { type: 'boolean' },
  },
} as const;

export const MEDIA_PAGE = {
  type: 'object',
  required: ['media'],
  properties: { media: { type: 'array', items: MEDIUM_INFO }, nextCursor: string },
} as const;

export const MEDIA_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    cursor: { type: 'string', maxLength: 200, description: '`nextCursor` of the page before' },
    limit: { type: 'integer', minimum: 1, maximum: 200, default: 50 },
    owner: { type: 'string', enum: ['me'], description: 'only what the caller keeps' },
  },
} as const;

export const SHA256_PARAMS = { type: 'object', required: ['sha256'], properties: { sha256: SHA256 } } as const;
export const PUBKEY_PARAMS = { type: 'object', required: ['pubkey'], properties: { pubkey: PUBKEY } } as const;

export const SETUP_BODY = {
  type: 'object',
  required: ['token'],
  additionalProperties: false,
  properties: { token: { type: 'string', minLength: 1, maxLength: 200, description: 'of the set-up link' } },
} as const;

export const MEMBER_BODY = {
  type: 'object',
  additionalProperties: false,
  properties: { quotaBytes: { ...bytes, description: 'room in bytes; absent: the default of the server' } },
} as const;

export const MEMBERS = {
  type: 'array',
  items: {
    type: 'object',
    required: ['pubkey', 'role', 'quotaBytes'],
    properties: { pubkey: PUBKEY, role: { type: 'string', enum: ['owner', 'member'] }, quotaBytes: bytes },
  },
} as const;

export const OEMBED_QUERY = {
  type: 'object',
  required: ['url'],
  properties: {
    url: { type: 'string', maxLength: 2_000 },
    maxwidth: { type: 'integer', minimum: 1, maximum: 10_000 },
    maxheight: { type: 'integer', minimum: 1, maximum: 10_000 },
    format: { type: 'string', enum: ['json'] },
  },
} as const;

const EMPTY = { type: 'null', description: 'done' } as const;
const REFUSALS = { '4xx': API_ERROR, '5xx': API_ERROR } as const;

/** Responses of an operation that answers with JSON. */
export function answers(schema: object): object {
  return { 200: schema, ...REFUSALS };
}

/** Responses of an operation that answers with nothing. */
export const DONE = { 204: EMPTY, ...REFUSALS } as const;
