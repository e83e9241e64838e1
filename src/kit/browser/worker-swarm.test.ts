/** What needs no page: which options a worker's swarm takes. What it does with them is tested in a browser. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { makeTorrentOf } from '../../../test/support/swarm.ts';
import { formatMagnet } from '../../codec/magnet.ts';
import { writeMetainfo } from '../../codec/metainfo.ts';
import { WorkerSwarm } from './worker-swarm.ts';

beforeEach(() => {
  vi.stubGlobal('addEventListener', () => undefined);
  vi.stubGlobal('postMessage', () => undefined);
});

afterEach(() => void vi.unstubAllGlobals());

test('a wrong option is refused before any piece is kept for its torrent', async () => {
  await using swarm = new WorkerSwarm();
  const opening = vi.spyOn(swarm, 'openPieces');
  const { info } = await makeTorrentOf('v1', [100_000], 16_384);
  const metainfo = writeMetainfo({ rawInfo: info.rawInfo });
  await expect(swarm.add(metainfo, { mode: 'bogus' as never })).rejects.toMatchObject({ code: 'invalid_input' });
  expect(opening).not.toHaveBeenCalled();
  await swarm.add(metainfo, { mode: 'on-demand' });
  expect(opening).toHaveBeenCalledOnce();
});

test('a selection given as undefined leaves the files that the magnet link names', async () => {
  await using swarm = new WorkerSwarm();
  const { hashes } = await makeTorrentOf('v1', [50_000, 60_000, 70_000], 16_384);
  const magnet = formatMagnet({ ...hashes, selectedFiles: [{ first: 1, last: 1 }] });
  const adding = vi.spyOn(swarm.engine, 'addByHash');
  await swarm.add(magnet, { selectedFiles: undefined } as never);
  expect(adding.mock.calls[0]?.[0].selectedFiles).toEqual([{ first: 1, last: 1 }]);
});
