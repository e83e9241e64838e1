/** The commands as people run them: child processes, files, exit codes. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Program, startProgram } from '../support/program.ts';
import { freePort } from '../support/free-port.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { startServer } from '../support/server.ts';
import { makeTorrent, MemoryStorage } from '../support/swarm.ts';
import { testFolder } from '../support/temp-dir.ts';
import type { MediumInfo } from '../../src/base/api.ts';
import { formatMagnet, parseMagnet } from '../../src/codec/magnet.ts';
import { parseMetainfo, writeMetainfo } from '../../src/codec/metainfo.ts';
import { SwarmNode } from '../../src/kit/node/swarm-node.ts';

const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
const FILE = seededBytes('cli', 5_000_000);
const SHA256 = createHash('sha256').update(FILE).digest('hex');

function seedbed(args: readonly string[], cwd: string): Program {
  const program = startProgram(process.execPath, [MAIN, ...args], { cwd });
  onTestFinished(async () => void (await program.stop()));
  return program;
}

async function run(args: readonly string[], cwd: string): Promise<{ code: number | null; output: string }> {
  const program = seedbed(args, cwd);
  const { code } = await program.ended;
  return { code, output: program.output };
}

/** A folder with the file, and a process that seeds it; resolves when it does. */
async function seeding(): Promise<{
  folder: string;
  seeder: Program;
  address: string;
  magnet: string;
  torrent: string;
}> {
  const folder = await testFolder('cli');
  await writeFile(path.join(folder, 'film.bin'), FILE);
  const seeder = seedbed(['seed', 'film.bin', '--host', '127.0.0.1', '-o', 'film.torrent'], folder);
  const [magnet = ''] = await seeder.line(/magnet:\S+/);
  const [, address = ''] = await seeder.line(/reach you at (\S+)\. /);
  return { folder, seeder, address, magnet, torrent: path.join(folder, 'film.torrent') };
}

const hashOf = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

describe('seed and get', () => {
  test.each(['magnet', 'torrent'] as const)('a file offered by one is fetched by the other, by %s', async (by) => {
    const offer = await seeding();
    const { code, output } = await run(['get', offer[by], '--peer', offer.address, '-o', 'copy.bin'], offer.folder);
    expect(output).toMatch(/4\.8 MiB in .*: 4\.8 MiB from peers, 0 B over HTTP\. Verified\./);
    expect(code).toBe(0);
    expect(await hashOf(path.join(offer.folder, 'copy.bin'))).toBe(SHA256);
    offer.seeder.signal('SIGINT');
    expect((await offer.seeder.ended).code).toBe(0);
  });

  test('the magnet and the .torrent are canonical and carry the human name', async () => {
    const { magnet, torrent } = await seeding();
    const { info, comment } = parseMetainfo(await readFile(torrent));
    expect(info).toMatchObject({ name: SHA256, totalBytes: FILE.length, pieceLengthBytes: 262_144 });
    expect(comment).toBe('film.bin');
    expect(parseMagnet(magnet)).toMatchObject({ name: 'film.bin', sizeBytes: FILE.length });
  });

  test('what it reports with --json are JSON lines, the result last', async () => {
    const { folder, magnet, address } = await seeding();
    const { output } = await run(['get', magnet, '--peer', address, '-o', 'copy.bin', '--json'], folder);
    const lines = output
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    const target = path.join(folder, 'copy.bin');
    expect(lines.at(-1)).toMatchObject({ event: 'done', path: target, sizeBytes: FILE.length, bytesFromHttp: 0 });
  });

  test('an interrupted download leaves nothing under the final name, and goes on where it stopped', async () => {
    const { torrent, folder } = await seeding();
    const { info } = parseMetainfo(await readFile(torrent));
    const asked: number[] = [];
    let gives = 8; // pieces, then silence
    const server = http.createServer((request, response) => {
      const [, start = '', end = ''] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
      asked.push(Number(start));
      const upTo = Math.min(Number(end) + 1, gives * info.pieceLengthBytes);
      response.writeHead(206, {
        'content-range': `bytes ${start}-${end}/${FILE.length}`,
        'content-length': Number(end) - Number(start) + 1,
      });
      response.write(FILE.subarray(Number(start), Math.max(upTo, Number(start))));
      if (upTo === Number(end) + 1) response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const webSeed = `http://127.0.0.1:${(server.address() as AddressInfo).port}/film.bin`;
    await writeFile(torrent, writeMetainfo({ rawInfo: info.rawInfo, webSeeds: [webSeed] }));

    const first = seedbed(['get', torrent, '--local', '-o', 'copy.bin', '--json'], folder);
    await first.line(/"doneBytes":[1-9]/, 20_000);
    first.signal('SIGINT');
    expect((await first.ended).code).toBe(3);
    expect(await readdir(folder)).toEqual(expect.arrayContaining(['copy.bin.part', 'copy.bin.part.resume']));
    expect(await readdir(folder)).not.toContain('copy.bin');

    asked.length = 0;
    gives = Number.POSITIVE_INFINITY;
    const second = await run(['get', torrent, '--local', '-o', 'copy.bin'], folder);
    expect(second.code, second.output).toBe(0);
    expect(await hashOf(path.join(folder, 'copy.bin'))).toBe(SHA256);
    expect(Math.min(...asked)).toBeGreaterThan(0);
    expect((await readdir(folder)).filter((name) => name.includes('.part'))).toEqual([]);
  });

  test('after a crash every piece is looked at again, and what was damaged is fetched anew', async () => {
    const { torrent, folder, address } = await seeding();
    const torn = FILE.slice();
    torn.fill(0, 1_000_000, 1_000_010);
    await writeFile(path.join(folder, 'copy.bin.part'), torn);
    const { code, output } = await run(['get', torrent, '-o', 'copy.bin', '--peer', address, '--json'], folder);
    expect(code, output).toBe(0);
    expect(await hashOf(path.join(folder, 'copy.bin'))).toBe(SHA256);
    expect(JSON.parse(output.trim().split('\n').at(-1) ?? '')).toMatchObject({ bytesFromPeers: 262_144 });
  });

  test('several files are offered at once, their .torrent files in a folder', async () => {
    const folder = await testFolder('cli');
    for (const name of ['a', 'b']) await writeFile(path.join(folder, name), seededBytes(name, 300_000));
    const seeder = seedbed(['seed', 'a', 'b', '--host', '127.0.0.1', '-o', 'torrents', '--json'], folder);
    await seeder.line(/"event":"seeding","name":"b"/);
    expect(await readdir(path.join(folder, 'torrents'))).toEqual(['a.torrent', 'b.torrent']);
  });
});

describe('seed in another format', () => {
  const FILES = { 'a.bin': 300_000, 'folder/b.bin': 1, 'folder/c.bin': 700_001 };

  async function offered(format: string, name: string) {
    const folder = await testFolder('cli');
    for (const [file, size] of Object.entries(FILES)) {
      await mkdir(path.dirname(path.join(folder, 'several', file)), { recursive: true });
      await writeFile(path.join(folder, 'several', file), seededBytes(file, size));
    }
    await writeFile(path.join(folder, 'film.bin'), FILE);
    const args = ['seed', name, '--format', format, '--host', '127.0.0.1', '-o', 'made.torrent'];
    const seeder = seedbed(args, folder);
    const [magnet = ''] = await seeder.line(/magnet:\S+/);
    const [, address = ''] = await seeder.line(/reach you at (\S+)\. /);
    return { folder, address, sources: { magnet, torrent: path.join(folder, 'made.torrent') } };
  }

  test.each([
    { format: 'v1', name: 'several', by: 'magnet' },
    { format: 'hybrid', name: 'several', by: 'magnet' },
    { format: 'hybrid', name: 'film.bin', by: 'torrent' },
    { format: 'v2', name: 'several', by: 'torrent' },
    { format: 'v2', name: 'film.bin', by: 'magnet' },
  ] as const)('$name is offered as $format and fetched by $by', async ({ format, name, by }) => {
    const { folder, address, sources } = await offered(format, name);
    const { info } = parseMetainfo(await readFile(sources.torrent));
    expect(info).toMatchObject({ version: format, name });
    expect(/btih/.test(sources.magnet)).toBe(format !== 'v2');
    expect(/btmh/.test(sources.magnet)).toBe(format !== 'v1');
    const { code, output } = await run(['get', sources[by], '--peer', address, '-o', 'copy'], folder);
    expect(code, output).toBe(0);
    if (name === 'film.bin') expect(await hashOf(path.join(folder, 'copy'))).toBe(SHA256);
    else
      for (const [file, size] of Object.entries(FILES))
        expect(new Uint8Array(await readFile(path.join(folder, 'copy', file)))).toEqual(seededBytes(file, size));
  });

  test('one file in v1 stays the canonical torrent, the same on every machine', async () => {
    const { sources } = await offered('v1', 'film.bin');
    expect(parseMetainfo(await readFile(sources.torrent)).info.name).toBe(SHA256);
  });

  test.each([
    ['an unknown format', ['seed', 'film.bin', '--format', 'v3'], /--format is one of v1, hybrid, v2/],
    ['a folder without files', ['seed', '.', '--format', 'v2'], /is empty/],
  ] as const)('%s is refused', async (_, args, wanted) => {
    const { code, output } = await run(args, await testFolder('cli'));
    expect(output).toMatch(wanted);
    expect(code).toBe(2);
  });
});

describe('get some files of many', () => {
  const LENGTHS = [300_000, 200_000, 500_000];
  const FILES = LENGTHS.map((lengthBytes) => ({ lengthBytes }));

  async function offered(): Promise<{
    folder: string;
    peer: string;
    magnet: string;
    readonly fileBytes: (at: number) => Uint8Array;
  }> {
    const { hashes, info, bytes } = await makeTorrent(1_000_000, 65_536, { files: FILES });
    const node = await SwarmNode.open({ host: '127.0.0.1' });
    onTestFinished(() => node.stop());
    node.engine.add({ ...hashes, info, storage: new MemoryStorage(bytes), have: 'all' });
    const fileBytes = (at: number): Uint8Array => {
      const start = LENGTHS.slice(0, at).reduce((sum, length) => sum + length, 0);
      return bytes.subarray(start, start + (LENGTHS[at] ?? 0));
    };
    const folder = await testFolder('cli');
    return { folder, peer: `127.0.0.1:${node.address.port}`, magnet: formatMagnet(hashes), fileBytes };
  }

  test.each([
    { by: 'the link', so: '&so=1', args: [], gets: [1] },
    { by: 'index', so: '', args: ['--files', '0,2'], gets: [0, 2] },
    { by: 'name, whatever the link says', so: '&so=0', args: ['--select', '*1', '--select', 'FILE 2'], gets: [1, 2] },
  ])('chosen by $by: these files stand there, and nothing else', async ({ so, args, gets }) => {
    const { folder, peer, magnet, fileBytes } = await offered();
    const command = ['get', `${magnet}${so}`, '--peer', peer, '-o', 'some', '--json', ...args];
    const { code, output } = await run(command, folder);
    expect(code, output).toBe(0);
    const sizeBytes = gets.reduce((sum, at) => sum + (LENGTHS[at] ?? 0), 0);
    const done: unknown = JSON.parse(output.trim().split('\n').at(-1) ?? '');
    expect(done).toMatchObject({ event: 'done', sizeBytes });
    expect(await readdir(folder)).toEqual(['some']);
    expect((await readdir(path.join(folder, 'some'))).toSorted()).toEqual(gets.map((at) => `file ${at}`));
    for (const at of gets)
      expect(Buffer.compare(await readFile(path.join(folder, 'some', `file ${at}`)), fileBytes(at))).toBe(0);
  });

  test('a choice that fits no file ends with a clear error', async () => {
    const { folder, peer, magnet } = await offered();
    const { code, output } = await run(['get', magnet, '--peer', peer, '--select', '*.mkv'], folder);
    expect(output).toMatch(/the torrent has no such file/);
    expect(code).toBe(2);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('get from a Seedbed', () => {
  test('takes the address of its page, of the file, of the .torrent, and its magnet', { timeout: 90_000 }, async () => {
    const [folder, dataFolder] = [await testFolder('cli'), await testFolder('server')];
    await using server = await startServer({ dataFolder, settings: { SEEDBED_UPLOADS: 'anyone' } });
    const form = new FormData();
    form.append('file', new Blob([FILE]), 'Der Film.bin');
    const stored = await fetch(`${server.origin}/api/v1/media`, { method: 'POST', body: form });
    const { pageUrl, url, torrent } = (await stored.json()) as MediumInfo;
    // A typed URL says where it leads; a magnet is a stranger's word about addresses, here all of this machine.
    const sources = [[pageUrl], [url], [torrent?.torrentUrl ?? ''], [torrent?.magnet ?? '', '--local']];
    for (const [at, source] of sources.entries()) {
      const { code, output } = await run(['get', ...source, '-o', `copy ${at}`], folder);
      expect(code, `${source.join(' ')}\n${output}`).toBe(0);
      expect(await hashOf(path.join(folder, `copy ${at}`))).toBe(SHA256);
    }
    expect((await run(['get', pageUrl], folder)).output).toContain(path.join(folder, 'Der Film.bin'));
    const missing = await run(['get', `${server.origin}/m/${'0'.repeat(64)}`], folder);
    expect(missing).toMatchObject({ code: 1, output: expect.stringMatching(/there is nothing at/) });
  });
});

describe('exit codes and words', () => {
  test.each<[string, readonly string[], number, RegExp]>([
    ['no arguments', [], 0, /serve .*\n.*get .*\n.*seed .*\n.*doctor /],
    ['help for get', ['get', '--help'], 0, /Exit codes: 0 complete and verified/],
    ['help for seed', ['seed', '--help'], 0, /Usage: seedbed seed/],
    ['help for doctor', ['doctor', '--help'], 0, /Usage: seedbed doctor/],
    ['the version', ['--version'], 0, /^\d+\.\d+\.\d+\n$/],
    ['an unknown command', ['fetch'], 2, /there is no command fetch\nTry: seedbed --help/],
    ['an unknown option', ['get', '--fast'], 2, /Unknown option '--fast'\nTry: seedbed get --help/],
    ['nothing to get', ['get'], 2, /name one magnet link/],
    ['a source that is none', ['get', 'nowhere'], 2, /not a magnet link, a URL or a \.torrent file: nowhere/],
    ['a broken magnet', ['get', 'magnet:?xt=urn:btih:zz'], 2, /info hash/],
    ['a peer that is none', ['get', `magnet:?xt=urn:btih:${'a'.repeat(40)}`, '--peer', 'host'], 2, /192\.0\.2\.7:6881/],
    ['files that are none', ['get', 'x', '--files', '3-1'], 2, /files are named such as 0,2-4/],
    ['a port that is none', ['get', 'x', '--port', '99999'], 2, /--port is a number from 1 to 65535/],
    ['encryption that is none', ['get', 'x', '--encryption', 'some'], 2, /--encryption is one of prefer, require, off/],
    ['encryption that is none, seeding', ['seed', 'x', '--encryption', ''], 2, /--encryption is one of prefer/],
    ['a missing file', ['seed', 'missing'], 2, /missing cannot be read/],
    ['a folder', ['seed', '.'], 2, /is not a file/],
  ])('%s', async (_what, args, code, words) => {
    const result = await run(args, await testFolder('cli'));
    expect(result.output).toMatch(words);
    expect(result.code).toBe(code);
  });

  test('an empty file has no torrent', async () => {
    const folder = await testFolder('cli');
    await writeFile(path.join(folder, 'empty'), '');
    expect(await run(['seed', 'empty'], folder)).toMatchObject({ code: 2, output: expect.stringMatching(/is empty/) });
  });

  test.each([
    ['shorter', FILE.slice(0, 1_000)],
    ['as long', new Uint8Array(FILE.length)],
  ])('another file of the name, %s, is never overwritten', async (_what, bytes) => {
    const { folder, torrent } = await seeding();
    await writeFile(path.join(folder, 'other.bin'), bytes);
    const { code, output } = await run(['get', torrent, '-o', 'other.bin'], folder);
    expect(code).toBe(1);
    expect(output).toMatch(/other\.bin is there already; choose another name with -o/);
    expect(Buffer.compare(await readFile(path.join(folder, 'other.bin')), bytes)).toBe(0);
  });

  test('not even where a magnet tells its size only later', async () => {
    const { folder, magnet, address } = await seeding();
    await writeFile(path.join(folder, 'other.bin'), 'other');
    const { code, output } = await run(['get', magnet, '--peer', address, '-o', 'other.bin'], folder);
    expect(code).toBe(1);
    expect(output).toMatch(/other\.bin is there already/);
    expect(await readFile(path.join(folder, 'other.bin'), 'utf8')).toBe('other');
  });

  test('a file that is there and right is done at once', async () => {
    const { folder, torrent } = await seeding();
    const { code, output } = await run(['get', torrent], folder);
    expect(output).toMatch(/0 B from peers, 0 B over HTTP\. Verified\./);
    expect(code).toBe(0);
  });

  test('a source that names private addresses is told what helps', async () => {
    const magnet = `magnet:?xt=urn:btih:${'a'.repeat(40)}&tr=http%3A%2F%2F127.0.0.1%3A9999%2Fannounce&x.pe=10.1.2.3:6881`;
    const { output } = await run(['get', magnet, '--timeout', '1'], await testFolder('cli'));
    expect(output).toMatch(/127\.0\.0\.1 is a private address; it was left out \(--local contacts it\)/);
    expect(output).toMatch(/10\.1\.2\.3 is a private address/);
  });

  test('a download that nobody serves is given up in time', async () => {
    const folder = await testFolder('cli');
    const magnet = `magnet:?xt=urn:btih:${'a'.repeat(40)}`;
    const { code, output } = await run(['get', magnet, '--timeout', '1', '--json'], folder);
    expect(code).toBe(3);
    expect(JSON.parse(output.trim().split('\n').at(-1) ?? '')).toEqual({ event: 'stopped' });
  });

  test('the doctor names a taken port and what helps, and a wrong setting', async () => {
    const folder = await testFolder('cli');
    const taken = net.createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    const examine = async (settings: Record<string, string>): Promise<{ code: number | null; output: string }> => {
      const env = { ...process.env, SEEDBED_DATA: folder, ...settings };
      const program = startProgram(process.execPath, [MAIN, 'doctor'], { env });
      return { code: (await program.ended).code, output: program.output };
    };
    const ports = { SEEDBED_ADMIN_PORT: String(await freePort()), SEEDBED_PEER_PORT: String(await freePort()) };
    const busy = await examine({ ...ports, SEEDBED_PORT: String(port) });
    expect(busy.output).toMatch(new RegExp(`✘ web port +TCP ${port} .*EADDRINUSE\\n.*SEEDBED_PORT`));
    expect(busy.code).toBe(1);
    const wrong = await examine({ SEEDBED_PORT: 'many' });
    expect(wrong.output).toMatch(/✘ settings +SEEDBED_PORT=many is not valid/);
    expect(wrong.code).toBe(1);
  });
});
