import { expect, test } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { makeTorrent, MemoryStorage, Swarm } from '../../../test/support/swarm.ts';
import { silentLog } from '../../base/log.ts';
import { AwakeTorrents } from './awake-torrents.ts';

test('what is awake is announced once, what sleeps is let go, what is private never', async () => {
  const { engine } = new Swarm().addNode();
  const clock = new FakeClock();
  const log: string[] = [];
  const add = async (name: string, isPrivate: boolean) => {
    const { info, hashes, bytes } = await makeTorrent(100_000 + name.length, 65_536, { isPrivate });
    return { name, torrent: engine.add({ ...hashes, info, storage: new MemoryStorage(bytes), have: 'all' }) };
  };
  const torrents = [await add('open', false), await add('private', true)];
  const nameOf = (torrent: unknown): string => torrents.find((known) => known.torrent === torrent)?.name ?? '';
  const awake = new AwakeTorrents({
    engine,
    clock,
    log: silentLog,
    announce: (torrent) => {
      log.push(nameOf(torrent));
      return () => log.push(`${nameOf(torrent)} left`);
    },
  });
  await clock.advanceAsync(60_000);
  expect(log).toEqual(['open']);
  await torrents[0]?.torrent.stop();
  torrents.push(await add('another', false));
  await clock.advanceAsync(15_000);
  expect(log).toEqual(['open', 'open left', 'another']);
  await awake[Symbol.asyncDispose]();
  expect(log.at(-1)).toBe('another left');
  expect(clock.pending).toBe(0);
  await engine.stop();
});
