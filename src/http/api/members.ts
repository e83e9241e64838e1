/** Members of this server; for its owner. */
import type { FastifyInstance } from 'fastify';
import type { Accounts } from '../../accounts/accounts.ts';
import type { Pubkey } from '../../base/ids.ts';
import { claimOf } from '../credentials.ts';
import { answers, DONE, MEMBER_BODY, MEMBERS, PUBKEY_PARAMS } from './schemas.ts';

export interface MemberDeps {
  readonly accounts: Pick<Accounts, 'claimFor' | 'listMembers' | 'putMember' | 'removeMember'>;
}

export function registerMembers(api: FastifyInstance, { accounts }: MemberDeps): void {
  api.get('/members', { schema: { summary: 'Members', response: answers(MEMBERS) } }, async (request) =>
    accounts.listMembers(await claimOf(accounts, request.raw)),
  );

  const put = { summary: 'Add a member or change its room', params: PUBKEY_PARAMS, body: MEMBER_BODY, response: DONE };
  api.put<{ Params: { pubkey: Pubkey }; Body: { quotaBytes?: number } }>(
    '/members/:pubkey',
    { schema: put },
    async ({ raw, params, body, bodySha256 }, reply) => {
      const claim = await claimOf(accounts, raw, bodySha256 === undefined ? {} : { bodySha256 });
      await accounts.putMember(claim, params.pubkey, body.quotaBytes);
      return await reply.code(204).send();
    },
  );

  const removal = { summary: 'Remove a member; its files stay', params: PUBKEY_PARAMS, response: DONE };
  api.delete<{ Params: { pubkey: Pubkey } }>(
    '/members/:pubkey',
    { schema: removal },
    async ({ raw, params }, reply) => {
      await accounts.removeMember(await claimOf(accounts, raw), params.pubkey);
      return await reply.code(204).send();
    },
  );
}
