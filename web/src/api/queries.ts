/** What the pages read from the server, as cached queries; and the few things they change there. */
import { infiniteQueryOptions, QueryClient, queryOptions } from '@tanstack/react-query';
import type { MediumInfo } from '../../../src/base/api.ts';
import type { Pubkey, Sha256 } from '../../../src/base/ids.ts';
import { ApiFailed, callApi } from './http.ts';
import { recallMedium, rememberMedium } from './known-media.ts';
import { readMediaPage, readMedium, readMembers, readServerInfo, readSession } from './read.ts';

const PAGE_SIZE = 24;
const UPLOADING_POLL_MS = 2_000;
const SWARM_POLL_MS = 15_000;
const LIST_POLL_MS = 30_000;
const MAX_RETRIES = 2;

/** Refusals are final; only an unreachable or failing server is asked again. */
export function isWorthRetrying(failures: number, error: Error): boolean {
  if (failures >= MAX_RETRIES) return false;
  return !(error instanceof ApiFailed) || error.status === 0 || error.status >= 500;
}

export const queryClient = new QueryClient({
  defaultOptions: { queries: { retry: isWorthRetrying, staleTime: 5_000 } },
});

export const serverQuery = queryOptions({
  queryKey: ['server'],
  queryFn: async ({ signal }) => readServerInfo(await callApi('/api/v1/server', { signal })),
  staleTime: 60_000,
});

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }) => readSession(await callApi('/api/v1/session', { signal })),
  staleTime: 60_000,
});

/** Newest first, page by page. */
export const recentMediaQuery = infiniteQueryOptions({
  queryKey: ['media'],
  initialPageParam: '',
  queryFn: async ({ pageParam, signal }) => {
    const cursor = pageParam === '' ? '' : `&cursor=${encodeURIComponent(pageParam)}`;
    return readMediaPage(await callApi(`/api/v1/media?limit=${PAGE_SIZE}${cursor}`, { signal }));
  },
  getNextPageParam: (page) => page.nextCursor,
  refetchInterval: LIST_POLL_MS,
});

/** How soon a medium is worth asking for again: often while it is still arriving. */
export function pollIntervalMs(medium: MediumInfo | undefined): number {
  return medium?.state === 'uploading' ? UPLOADING_POLL_MS : SWARM_POLL_MS;
}

/** The server's answer; where the server cannot be reached, its last one. @throws ApiFailed, Cancelled */
async function findMedium(sha256: Sha256, signal: AbortSignal): Promise<MediumInfo> {
  try {
    const medium = readMedium(await callApi(`/api/v1/media/${sha256}`, { signal }));
    await rememberMedium(medium, Date.now());
    return medium;
  } catch (error) {
    const isAway = error instanceof ApiFailed && error.status === 0;
    const known = isAway ? await recallMedium(sha256) : undefined;
    if (known === undefined) throw error;
    return known;
  }
}

/** One medium; the page polls it for the swarm's counts. */
export function mediumQuery(sha256: Sha256) {
  return queryOptions({
    queryKey: ['medium', sha256],
    queryFn: async ({ signal }) => await findMedium(sha256, signal),
    refetchInterval: (query) => (query.state.status === 'error' ? false : pollIntervalMs(query.state.data)),
  });
}

/** For the owner only. */
export const membersQuery = queryOptions({
  queryKey: ['members'],
  queryFn: async ({ signal }) => readMembers(await callApi('/api/v1/members', { signal })),
});

/** Lets the key publish, with the server's default room. @throws ApiFailed */
export async function addMember(pubkey: Pubkey): Promise<void> {
  await callApi(`/api/v1/members/${pubkey}`, { method: 'PUT', body: '{}' });
  await queryClient.invalidateQueries({ queryKey: membersQuery.queryKey });
}

/** Ends the key's sessions and its right to publish; its files stay. @throws ApiFailed */
export async function removeMember(pubkey: Pubkey): Promise<void> {
  await callApi(`/api/v1/members/${pubkey}`, { method: 'DELETE' });
  await queryClient.invalidateQueries({ queryKey: membersQuery.queryKey });
}

/** Drops the caller's claim on the medium; the last claim's end deletes it. @throws ApiFailed */
export async function deleteMedium(sha256: Sha256): Promise<void> {
  await callApi(`/api/v1/media/${sha256}`, { method: 'DELETE' });
  queryClient.removeQueries({ queryKey: ['medium', sha256] });
  await queryClient.invalidateQueries({ queryKey: ['media'] });
}
