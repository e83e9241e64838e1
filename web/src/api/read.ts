/**
 * Readers of the API's JSON: from `unknown` to the shared types, or `ApiFailed` with code `bad_answer`. They check what the app
 * relies on and let further fields pass, so that a newer server stays readable.
 */
import type { MediaPage, MediumInfo, Role, ServerInfo, SessionInfo, UploadPolicy } from '../../../src/base/api.ts';
import { isSha256, type Pubkey } from '../../../src/base/ids.ts';
import { ApiFailed } from './http.ts';

type Fields = Readonly<Partial<Record<string, unknown>>>;

const POLICIES: readonly string[] = ['owner', 'members', 'anyone'] satisfies UploadPolicy[];
const ROLES: readonly string[] = ['owner', 'member', 'guest'] satisfies Role[];

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null) throw badAnswer(what);
  return value as Fields;
}

function badAnswer(what: string): ApiFailed {
  return new ApiFailed(200, 'bad_answer', `the server sent a malformed ${what}`);
}

function need(holds: boolean, what: string): void {
  if (!holds) throw badAnswer(what);
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/** @throws ApiFailed */
export function readServerInfo(value: unknown): ServerInfo {
  const { name, version, hasOwner, uploads, maxUploadBytes, publicUrl, trackerUrl, iceServers } = fieldsOf(
    value,
    'server',
  );
  need([name, version, publicUrl, trackerUrl].every(isText), 'server');
  need(typeof hasOwner === 'boolean' && isText(uploads) && POLICIES.includes(uploads), 'server');
  need(isCount(maxUploadBytes) && Array.isArray(iceServers), 'server');
  return value as ServerInfo;
}

/** @throws ApiFailed */
export function readSession(value: unknown): SessionInfo {
  const { role, mayUpload, usedBytes, quotaBytes, pubkey } = fieldsOf(value, 'session');
  need(isText(role) && ROLES.includes(role) && typeof mayUpload === 'boolean', 'session');
  need(isCount(usedBytes) && isCount(quotaBytes), 'session');
  need(pubkey === undefined || (isText(pubkey) && isSha256(pubkey)), 'session');
  return value as SessionInfo;
}

/** A person who may publish here. */
export interface MemberInfo {
  readonly pubkey: Pubkey;
  readonly role: 'owner' | 'member';
  readonly quotaBytes: number;
}

/** @throws ApiFailed */
export function readMembers(value: unknown): MemberInfo[] {
  if (!Array.isArray(value)) throw badAnswer('member list');
  return value.map((entry: unknown) => {
    const { pubkey, role, quotaBytes } = fieldsOf(entry, 'member list');
    need(isText(pubkey) && isSha256(pubkey), 'member list');
    need((role === 'owner' || role === 'member') && isCount(quotaBytes), 'member list');
    return entry as MemberInfo;
  });
}

/** @throws ApiFailed */
export function readMedium(value: unknown): MediumInfo {
  const fields = fieldsOf(value, 'medium');
  need(isText(fields['sha256']) && isSha256(fields['sha256']), 'medium');
  need([fields['type'], fields['name'], fields['url'], fields['pageUrl']].every(isText), 'medium');
  need([fields['sizeBytes'], fields['storedBytes'], fields['createdAtMs']].every(isCount), 'medium');
  need(fields['state'] === 'uploading' || fields['state'] === 'stored', 'medium');
  const { seeders, leechers } = fieldsOf(fields['swarm'], 'medium');
  need(isCount(seeders) && isCount(leechers), 'medium');
  if (fields['torrent'] !== undefined) readTorrent(fields['torrent']);
  return value as MediumInfo;
}

function readTorrent(value: unknown): void {
  const { infoHash, magnet, torrentUrl, pieceLengthBytes, pieceCount } = fieldsOf(value, 'medium');
  need([infoHash, magnet, torrentUrl].every(isText), 'medium');
  need([pieceLengthBytes, pieceCount].every(isCount), 'medium');
}

/** @throws ApiFailed */
export function readMediaPage(value: unknown): MediaPage {
  const { media, nextCursor } = fieldsOf(value, 'list');
  if (!Array.isArray(media)) throw badAnswer('list');
  need(nextCursor === undefined || isText(nextCursor), 'list');
  return { media: media.map(readMedium), ...(isText(nextCursor) ? { nextCursor } : {}) };
}
