import { describe, expect, test } from 'vitest';
import { makeTorrent, MemoryStorage } from '../../test/support/swarm.ts';
import { nodeHasher } from '../adapters/node-crypto/hasher.ts';
import { systemClock } from '../base/clock.ts';
import { parseInfoHashV1 } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import { KIB } from '../base/units.ts';
import { Engine, type EngineOptions, type Torrent } from './index.ts';
import { checkPort, checkRates, checkTorrentOptions } from './options-check.ts';

const PORTS = { clock: systemClock, hasher: nodeHasher, log: silentLog, random: Math.random, dialers: [] };

/** Refused as InvalidInput, whose message has all these words. */
function expectRefused(call: () => unknown, ...words: string[]): void {
  let error: unknown;
  try {
    call();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code: 'invalid_input' });
  for (const word of words) expect((error as Error).message).toContain(word);
}

const OTHER = parseInfoHashV1('cd'.repeat(20));
const NEVER = (): Promise<never> => Promise.reject(new Error('never asked for'));
const SOURCE = await makeTorrent(64 * KIB, 16 * KIB);
const KNOWN = { v1: OTHER, info: SOURCE.info, storage: new MemoryStorage(SOURCE.bytes), have: 'all' as const };

/** The same for calls on a running torrent, or one that may answer later; nothing is changed by them. */
async function expectAllRefused(
  call: (torrent: Torrent, engine: Engine) => unknown,
  ...words: string[]
): Promise<void> {
  const engine = new Engine({ ports: PORTS });
  const { hashes, info, bytes } = SOURCE;
  const torrent = engine.add({ ...hashes, info, storage: new MemoryStorage(bytes), have: 'all' });
  const error = await Promise.resolve()
    .then(() => call(torrent, engine))
    .catch((thrown: unknown) => thrown);
  expectRefused(
    () => {
      throw error;
    },
    ...words,
  );
  expect(engine.torrents).toEqual([torrent]);
  await engine.stop();
}

describe('what no type allows, a caller without types is refused', () => {
  test.each<{ option: string; options: object; words: string[] }>([
    { option: 'mode', options: { mode: 'bogus' }, words: ["'all', 'on-demand', 'seed-only'", "'bogus'"] },
    { option: 'mode', options: { mode: null }, words: ['null'] },
    { option: 'webSeedUse', options: { webSeedUse: 'allways' }, words: ["'when-needed', 'always'"] },
    { option: 'downloadBytesPerSecond', options: { downloadBytesPerSecond: NaN }, words: ['NaN', 'Infinity'] },
    { option: 'downloadBytesPerSecond', options: { downloadBytesPerSecond: -1 }, words: ['-1'] },
    { option: 'uploadBytesPerSecond', options: { uploadBytesPerSecond: '1000' }, words: ["'1000'"] },
    { option: 'uploadBytesPerSecond', options: { uploadBytesPerSecond: -Infinity }, words: ['-Infinity'] },
    { option: 'selectedFiles', options: { selectedFiles: '0-2' }, words: ['{ first, last }', "'0-2'"] },
    { option: 'selectedFiles', options: { selectedFiles: [null] }, words: ['null'] },
    { option: 'selectedFiles', options: { selectedFiles: [3] }, words: ['3'] },
  ])('$option of a torrent: $options', ({ option, options, words }) => {
    expectRefused(() => checkTorrentOptions(options), `${option} is `, ...words);
  });

  test.each([-1, 65_536, 0.5, NaN, '80', null])('the port %s', (port) => {
    expectRefused(() => checkPort('dht.port', port), 'dht.port is a whole number from 0 to 65535');
  });

  test.each<{ options: object; words: string[] }>([
    { options: { encryption: 'required' }, words: ['encryption', "'prefer', 'require', 'off'", "'required'"] },
    { options: { encryption: true }, words: ['encryption', 'true'] },
    { options: { encryption: null }, words: ['encryption', 'null'] },
    { options: { listenPort: 70_000 }, words: ['listenPort'] },
    { options: { limits: { uploadBytesPerSecond: NaN } }, words: ['limits.uploadBytesPerSecond'] },
    { options: { limits: { maxConnections: '9' } }, words: ['limits.maxConnections', "'9'"] },
    { options: { limits: { maxConnections: null } }, words: ['limits.maxConnections', 'null'] },
  ])('an engine with $options', ({ options, words }) => {
    expectRefused(() => new Engine({ ports: PORTS, ...(options as Partial<EngineOptions>) }), ...words);
  });

  test.each<{ what: string; call: (torrent: Torrent, engine: Engine) => void; word: string }>([
    { what: 'select(null)', call: (torrent) => torrent.select(null as never), word: 'files' },
    { what: 'select of a number', call: (torrent) => torrent.select([1] as never), word: 'files' },
    { what: 'prioritize(null)', call: (torrent) => torrent.prioritize(null as never), word: 'choices' },
    { what: 'an unknown mode', call: (torrent) => torrent.setMode('seed' as never), word: 'mode' },
    { what: 'no limits', call: (torrent) => torrent.setLimits(null as never), word: 'limits' },
    {
      what: 'a limit below 0',
      call: (torrent) => torrent.setLimits({ uploadBytesPerSecond: -1 }),
      word: 'uploadBytesPerSecond',
    },
    {
      what: 'a limit for each address that is no number',
      call: (_, engine) => engine.setLimits({ uploadBytesPerSecondPerAddress: NaN }),
      word: 'uploadBytesPerSecondPerAddress',
    },
    {
      what: 'a torrent of an unknown mode',
      call: (_, engine) =>
        void engine.addByHash({
          v1: parseInfoHashV1('cd'.repeat(20)),
          mode: 'everything' as never,
          openStorage: () => Promise.reject(new Error('never asked for')),
        }),
      word: 'mode',
    },
  ])('of a running engine: $what', async ({ call, word }) => {
    const engine = new Engine({ ports: PORTS });
    const openStorage = (): Promise<never> => Promise.reject(new Error('never asked for'));
    const torrent = engine.addByHash({ v1: parseInfoHashV1('ab'.repeat(20)), openStorage });
    expectRefused(() => call(torrent, engine), `${word} is `);
    expect([torrent.mode, engine.torrents.length]).toEqual(['all', 1]);
    await engine.stop();
  });
});

describe('a name that no option has is refused, with what there is', () => {
  test.each<{ what: string; call: (torrent: Torrent, engine: Engine) => unknown; words: string[] }>([
    {
      what: 'read with the names of another engine',
      call: (torrent) => torrent.read({ start: 0, endExclusive: 9, deadline: 5 } as never),
      words: ['read', "'deadline'", 'use deadlineMs', 'endExclusive, deadlineMs, bytesPerSecond, signal'],
    },
    {
      what: 'an inclusive end',
      call: (torrent) => torrent.file(0).read({ start: 0, end: 9 } as never),
      words: ["'end'", 'use endExclusive'],
    },
    {
      what: 'an end for an empty range',
      call: (torrent) => torrent.file(0).read({ endExclusive: 0, until: 1 } as never),
      words: ["'until'"],
    },
    {
      what: 'a limit of the engine',
      call: (_, engine) => engine.setLimits({ download: 20_000 } as never),
      words: ['setLimits', "'download'", 'use downloadBytesPerSecond', 'uploadBytesPerSecondPerAddress'],
    },
    {
      what: 'a limit of a torrent',
      call: (torrent) => torrent.setLimits({ downloadLimit: 1 } as never),
      words: ["'downloadLimit'", 'use downloadBytesPerSecond'],
    },
    {
      what: 'a recheck',
      call: (torrent) => torrent.recheck({ progress: () => undefined } as never),
      words: ['recheck', "'progress'", 'onProgress'],
    },
    {
      what: 'a torrent',
      call: (_, engine) => engine.add({ ...KNOWN, uploadLimit: 5 } as never),
      words: ['add', "'uploadLimit'", 'use uploadBytesPerSecond'],
    },
    {
      what: 'a magnet',
      call: (_, engine) => engine.addByHash({ v1: OTHER, storage: {}, openStorage: NEVER } as never),
      words: ['addByHash', "'storage'"],
    },
    {
      what: 'an engine',
      call: () => new Engine({ ports: PORTS, maxConnections: 5 } as never),
      words: ['Engine', "'maxConnections'", 'limits'],
    },
    {
      what: 'a cap',
      call: () => new Engine({ ports: PORTS, limits: { maxConns: 5 } as never }),
      words: ['limits', "'maxConns'", 'use maxConnections'],
    },
  ])('$what', async ({ call, words }) => {
    await expectAllRefused(call, ...words);
  });
});

describe('what cannot be used at all is refused, and not only found out later', () => {
  test.each<{ what: string; call: (torrent: Torrent, engine: Engine) => unknown; words: string[] }>([
    { what: 'no read options', call: (torrent) => torrent.read(undefined as never), words: ['options', 'an object'] },
    { what: 'a number to read', call: (torrent) => torrent.file(0).read(5 as never), words: ['options', '5'] },
    {
      what: 'a start in digits',
      call: (torrent) => torrent.read({ start: '0', endExclusive: 9 } as never),
      words: ['range'],
    },
    {
      what: 'an end in digits',
      call: (torrent) => torrent.read({ start: 0, endExclusive: '9' } as never),
      words: ['range'],
    },
    {
      what: 'a deadline in digits',
      call: (torrent) => torrent.file(0).read({ deadlineMs: '5' } as never),
      words: ['deadlineMs'],
    },
    {
      what: 'a signal that is none',
      call: (torrent) => torrent.file(0).read({ signal: {} } as never),
      words: ['signal', 'AbortSignal'],
    },
    {
      what: 'a recheck with a number',
      call: (torrent) => torrent.recheck({ signal: 5 } as never),
      words: ['signal', '5'],
    },
    { what: 'a recheck of null', call: (torrent) => torrent.recheck(null as never), words: ['options', 'null'] },
    {
      what: 'a peer as text',
      call: (torrent) => torrent.addPeers(['127.0.0.1:6881'] as never),
      words: ['addresses', '{ host, port }', "'127.0.0.1:6881'"],
    },
    { what: 'peers as text', call: (torrent) => torrent.addPeers('127.0.0.1:6881' as never), words: ['addresses'] },
    {
      what: 'a name for a peer',
      call: (torrent) => torrent.addPeers([{ host: 'localhost', port: 1 }]),
      words: ['IP literal', "'localhost'"],
    },
    {
      what: 'a port in digits',
      call: (torrent) => torrent.addPeers([{ host: '127.0.0.1', port: '1' }] as never),
      words: ['port'],
    },
    {
      what: 'nobody who named a peer',
      call: (torrent) => torrent.addPeers([], 'me' as never),
      words: ['source', "'judged'"],
    },
    {
      what: 'a magnet with a name for a peer',
      call: (_, engine) => engine.addByHash({ v1: OTHER, openStorage: NEVER, peers: [{ host: 'localhost', port: 1 }] }),
      words: ['peers', 'IP literal'],
    },
  ])('$what', async ({ call, words }) => {
    await expectAllRefused(call, ...words);
  });

  test('addresses as they come from elsewhere are fine, with a zone or a port that nobody listens on, too', async () => {
    const engine = new Engine({ ports: PORTS });
    const torrent = engine.addByHash({ v1: OTHER, openStorage: NEVER });
    torrent.addPeers([
      { host: 'fe80::1%eth0', port: 6881 },
      { host: '192.0.2.7', port: 0 },
    ]);
    await engine.stop();
  });
});

test('a cap given as undefined counts as left out', () => {
  const limits: Record<string, unknown> = { maxConnections: undefined, maxHashJobs: 2 };
  const { limits: held } = new Engine({ ports: PORTS, limits }).inspect();
  expect([held.maxConnections, held.maxHashJobs]).toEqual([1_000, 2]);
});

test('what is left out, 0, and no limit are fine', () => {
  checkTorrentOptions({});
  checkTorrentOptions({ mode: 'on-demand', webSeedUse: 'always', selectedFiles: [{ first: 0, last: 0 }] });
  checkRates({ uploadBytesPerSecond: 0, downloadBytesPerSecond: Number.POSITIVE_INFINITY });
  for (const port of [undefined, 0, 65_535]) checkPort('port', port);
});
