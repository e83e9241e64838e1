/** `GET /api/v1/server`: what this server is and where its parts are. */
import type { FastifyInstance } from 'fastify';
import type { Accounts } from '../../accounts/accounts.ts';
import type { ServerInfo } from '../../base/api.ts';
import type { PublicUrls } from '../describe.ts';
import { answers, SERVER_INFO } from './schemas.ts';

export interface ServerInfoDeps {
  readonly accounts: Pick<Accounts, 'hasOwner' | 'uploads'>;
  readonly urls: PublicUrls;
  readonly siteName: string;
  readonly version: string;
  readonly maxUploadBytes: number;
  readonly trackerUrl: string;
  readonly iceServers: ServerInfo['iceServers'];
}

export function registerServerInfo(api: FastifyInstance, deps: ServerInfoDeps): void {
  const schema = { summary: 'This server', response: answers(SERVER_INFO) };
  api.get('/server', { schema }, async (): Promise<ServerInfo> => {
    const { accounts, urls, siteName, version, maxUploadBytes, trackerUrl, iceServers } = deps;
    return {
      name: siteName,
      version,
      hasOwner: await accounts.hasOwner(),
      uploads: accounts.uploads,
      maxUploadBytes,
      publicUrl: urls.publicUrl,
      mediaUrl: urls.mediaUrl,
      trackerUrl,
      iceServers,
    };
  });
}
