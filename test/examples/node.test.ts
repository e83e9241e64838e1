/** The examples for Node, run as their README says: real processes, real TCP, nothing but what the package exports. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Program, startProgram } from '../support/program.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { startServer } from '../support/server.ts';
import { testFolder } from '../support/temp-dir.ts';

const EXAMPLES = path.resolve(import.meta.dirname, '../../examples');
const MAGNET = `magnet:?xt=urn:btih:${'ab'.repeat(20)}`;
const FILE = seededBytes('examples', 3_000_000);

interface Streamed {
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs the downloader; what it streamed, and what it told. */
async function download(cwd: string, ...args: readonly string[]): Promise<Streamed> {
  const command = [path.join(EXAMPLES, 'node-download.ts'), ...args];
  const options = { cwd, encoding: 'buffer', maxBuffer: 2 * FILE.length, timeout: 60_000 } as const;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, command, options);
  return { stdout, stderr: stderr.toString() };
}

interface Seeding {
  readonly folder: string;
  readonly seeder: Program;
  readonly magnet: string;
  readonly torrent: string;
  readonly peer: readonly string[];
}

async function seed(...args: readonly string[]): Promise<Seeding> {
  const folder = await testFolder('examples');
  await writeFile(path.join(folder, 'film.bin'), FILE);
  const command = [path.join(EXAMPLES, 'node-seed.ts'), 'film.bin', '--torrent', 'film.torrent', ...args];
  const seeder = startProgram(process.execPath, command, { cwd: folder });
  onTestFinished(async () => void (await seeder.stop()));
  const [magnet = ''] = await seeder.line(/magnet:\S+/);
  const [, port = ''] = await seeder.line(/at port (\d+)/);
  return { folder, seeder, magnet, torrent: 'film.torrent', peer: ['--peer', `127.0.0.1:${port}`] };
}

describe('the Node examples', () => {
  test.each(['magnet', 'torrent'] as const)('stream a file from one process to the other, by %s', async (by) => {
    const { folder, seeder, peer, [by]: source } = await seed();
    const { stdout, stderr } = await download(folder, source, ...peer);
    expect(stdout.equals(FILE)).toBe(true);
    expect(stderr).toContain('100.0 % here');
    seeder.signal('SIGINT');
    expect((await seeder.ended).code).toBe(0);
  });

  test('stream just the range that was asked for, and fetch little more', async () => {
    const { folder, magnet, peer } = await seed();
    const { stdout, stderr } = await download(folder, magnet, '--range', '1000000-1000999', ...peer);
    expect(stdout.equals(FILE.subarray(1_000_000, 1_001_000))).toBe(true);
    const [, share = ''] = /([\d.]+) % here[^%]*$/.exec(stderr) ?? [];
    expect(Number(share)).toBeLessThan(100);
  });

  test('what was fetched is kept and checked: the next run needs no peer for it', async () => {
    const { folder, seeder, torrent, peer } = await seed();
    await download(folder, torrent, ...peer);
    await seeder.stop();
    const { stdout } = await download(folder, torrent, '--range', '0-2999999');
    expect(stdout.equals(FILE)).toBe(true);
  });

  test('find each other through a tracker', async () => {
    const dataFolder = await testFolder('examples-tracker');
    await using server = await startServer({ dataFolder, settings: { SEEDBED_TRACKER_OPEN: 'true' } });
    const { folder, magnet } = await seed('--tracker', `${server.origin}/announce`);
    const { stdout } = await download(folder, magnet, '--local');
    expect(stdout.equals(FILE)).toBe(true);
  });

  test.each([
    ['node-seed.ts', ['no-such-file'], /no-such-file cannot be read/, 1],
    ['node-seed.ts', ['film.bin', '--prot', '1'], /'--prot'/, 1],
    ['node-seed.ts', [], /^node examples\/node-seed\.ts <file>/, 2],
    ['node-download.ts', ['magnet:?dn=nothing'], /magnet/, 1],
    ['node-download.ts', ['no-such.torrent'], /no-such\.torrent/, 1],
    ['node-download.ts', [MAGNET, '--peer', 'nonsense'], /--peer is <ip>:<port>/, 1],
    ['node-download.ts', [MAGNET, '--range', 'all'], /--range is <first byte>-<last byte>/, 1],
    ['node-download.ts', [], /^node examples\/node-download\.ts/, 2],
  ])('%s with %j says what is wrong in one line', async (example, args, message, code) => {
    const program = startProgram(process.execPath, [path.join(EXAMPLES, example), ...args]);
    expect((await program.ended).code).toBe(code);
    expect(program.output).toMatch(message);
    expect(program.output).not.toContain('    at ');
  });
});

test('examples/README.md names every example', async () => {
  const readme = await readFile(path.join(EXAMPLES, 'README.md'), 'utf8');
  for (const name of ['node-seed.ts', 'node-download.ts']) expect(readme).toContain(name);
});
