/** Media in the API: list, one, delete. Reading is public; a stale session reads as a guest. */
import type { FastifyInstance } from 'fastify';
import type { Claim } from '../../accounts/claim.ts';
import type { MediaPage, MediumInfo } from '../../base/api.ts';
import { NotFound, Unauthorized } from '../../base/errors.ts';
import type { Pubkey, Sha256 } from '../../base/ids.ts';
import type { Medium } from '../../media/medium.ts';
import { claimOf, readerClaim, type ClaimSource } from '../credentials.ts';
import { describeMedium, describePending, type PublicUrls, type SwarmCounter } from '../describe.ts';
import type { MediaLists, PendingMedia, StoredMedia } from '../ports.ts';
import { answers, DONE, MEDIA_PAGE, MEDIA_QUERY, MEDIUM_INFO, SHA256_PARAMS } from './schemas.ts';

export interface MediaRouteDeps {
  readonly accounts: ClaimSource;
  readonly media: Pick<StoredMedia, 'find'> & MediaLists & PendingMedia;
  readonly swarms: SwarmCounter;
  readonly urls: PublicUrls;
}

interface ListQuery {
  readonly cursor?: string;
  readonly limit: number;
  readonly owner?: 'me';
}

export function registerMedia(api: FastifyInstance, deps: MediaRouteDeps): void {
  const { accounts, media, swarms, urls } = deps;
  const describe = (medium: Medium, claim: Claim): MediumInfo =>
    describeMedium(medium, urls, swarms, { claim, owners: media.ownersOf(medium.sha256) });

  const list = { summary: 'Media, newest first', querystring: MEDIA_QUERY, response: answers(MEDIA_PAGE) };
  api.get<{ Querystring: ListQuery }>('/media', { schema: list }, async (request): Promise<MediaPage> => {
    const { claim } = await readerClaim(accounts, request.raw);
    const { cursor, limit, owner } = request.query;
    const page = media.list({ limit, cursor, owner: owner === 'me' ? pubkeyOf(claim) : undefined });
    return {
      media: page.media.map((medium) => describe(medium, claim)),
      ...(page.nextCursor === undefined ? {} : { nextCursor: page.nextCursor }),
    };
  });

  const one = { summary: 'One medium', params: SHA256_PARAMS, response: answers(MEDIUM_INFO) };
  api.get<{ Params: { sha256: Sha256 } }>('/media/:sha256', { schema: one }, async (request): Promise<MediumInfo> => {
    const { claim } = await readerClaim(accounts, request.raw);
    const { sha256 } = request.params;
    const medium = media.find(sha256);
    if (medium !== undefined) return describe(medium, claim);
    const pending = media.findPending(sha256);
    if (pending !== undefined) return describePending(pending, sha256, urls, swarms);
    throw new NotFound('this server has no such medium');
  });

  const removal = {
    summary: "Drop the caller's hold on a medium",
    params: SHA256_PARAMS,
    response: DONE,
  };
  api.delete<{ Params: { sha256: Sha256 } }>('/media/:sha256', { schema: removal }, async (request, reply) => {
    const claim = await claimOf(accounts, request.raw);
    await media.remove(claim, request.params.sha256);
    return await reply.code(204).send();
  });
}

/** @throws Unauthorized for guests. */
function pubkeyOf(claim: Claim): Pubkey {
  if (claim.kind !== 'key') throw new Unauthorized('sign in to see your own media');
  return claim.pubkey;
}
