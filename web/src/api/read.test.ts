import { expect, test } from 'vitest';
import { readMediaPage, readMedium, readMembers, readServerInfo, readSession } from './read.ts';

const server = {
  name: 'Seedbed',
  version: '0.1.0',
  hasOwner: true,
  uploads: 'members',
  maxUploadBytes: 1,
  publicUrl: 'http://127.0.0.1',
  mediaUrl: 'http://127.0.0.1',
  trackerUrl: 'ws://127.0.0.1/announce',
  iceServers: [],
};
const session = { role: 'guest', mayUpload: false, usedBytes: 0, quotaBytes: 10 };
const medium = {
  sha256: 'ab'.repeat(32),
  sizeBytes: 5,
  type: 'text/plain',
  name: 'a',
  state: 'stored',
  createdAtMs: 1,
  storedBytes: 5,
  url: 'http://127.0.0.1/x',
  pageUrl: 'http://127.0.0.1/m/x',
  torrent: { infoHash: 'f', magnet: 'magnet:?', torrentUrl: '/t', pieceLengthBytes: 1, pieceCount: 1 },
  swarm: { seeders: 0, leechers: 0 },
  mayDelete: false,
};

test('well-formed answers are read as they are, with fields we do not know yet', () => {
  expect(readServerInfo({ ...server, later: true })).toMatchObject(server);
  expect(readSession(session)).toEqual(session);
  expect(readMedium(medium)).toEqual(medium);
  expect(readMedium({ ...medium, torrent: undefined }).torrent).toBeUndefined();
  const member = { pubkey: 'ab'.repeat(32), role: 'owner', quotaBytes: 1 };
  expect(readMembers([member])).toEqual([member]);
  expect(readMediaPage({ media: [medium], nextCursor: 'c' })).toEqual({ media: [medium], nextCursor: 'c' });
});

test.each([
  ['server', readServerInfo, null],
  ['server', readServerInfo, { ...server, uploads: 'everyone' }],
  ['server', readServerInfo, { ...server, maxUploadBytes: -1 }],
  ['session', readSession, { ...session, role: 'king' }],
  ['session', readSession, { ...session, pubkey: 'xyz' }],
  ['medium', readMedium, { ...medium, sha256: '../../etc' }],
  ['medium', readMedium, { ...medium, state: 'half' }],
  ['medium', readMedium, { ...medium, sizeBytes: Number.NaN }],
  ['medium', readMedium, { ...medium, torrent: {} }],
  ['medium', readMedium, { ...medium, swarm: null }],
  ['list', readMediaPage, { media: {} }],
  ['member list', readMembers, {}],
  ['member list', readMembers, [{ pubkey: 'ab'.repeat(32), role: 'guest', quotaBytes: 1 }]],
  ['medium', readMediaPage, { media: [7] }],
])('a malformed %s is refused as a bad answer', (what, read, value) => {
  expect(() => read(value)).toThrow(`malformed ${what}`);
});
