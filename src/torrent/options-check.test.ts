import { describe, expect, test } from 'vitest';
import { nodeHasher } from '../adapters/node-crypto/hasher.ts';
import { systemClock } from '../base/clock.ts';
import { parseInfoHashV1 } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
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
