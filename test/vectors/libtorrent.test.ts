import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import { requireAll } from '../support/peers.ts';
import { TORRENT_VECTORS } from './vectors.ts';

test('the pinned reference torrents are what libtorrent makes today', (context) => {
  requireAll(context, 'libtorrent');
  const cases = TORRENT_VECTORS.map(({ mode, sizes, pieceLengthBytes, canonical }) => ({
    mode,
    sizes,
    pieceLengthBytes,
    canonical,
  }));
  const printed = execFileSync('/usr/bin/python3', [path.join(import.meta.dirname, 'torrents.py')], {
    input: JSON.stringify(cases),
    encoding: 'utf8',
    timeout: 25_000,
  });
  expect(JSON.parse(printed)).toEqual(TORRENT_VECTORS);
});
