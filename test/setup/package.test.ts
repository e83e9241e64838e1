/**
 * The engine as an npm package, as its users meet it: installed by npm into an empty project outside the checkout, from a
 * registry on loopback that has the checkout's own dependencies, then run, type-checked and bundled there.
 */
import { execFile, execFileSync } from 'node:child_process';
import { globSync, readFileSync, statSync } from 'node:fs';
import { copyFile, symlink, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build, type InlineConfig, type Plugin } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser } from '../support/chromium.ts';
import { playsFrom, servePage } from '../support/example-page.ts';
import { mp4Video } from '../support/media.ts';
import { makePackage, Project } from '../support/package-user.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import { startProgram } from '../support/program.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { startServer } from '../support/server.ts';
import { temporaryFolder, testFolder } from '../support/temp-dir.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FILE = seededBytes('package', 3_000_000);
const PAGE_ENTRIES = ['seedbed/torrent', 'seedbed/torrent/browser', 'seedbed/codec'];
const ENTRIES = ['seedbed/torrent', 'seedbed/torrent/node', 'seedbed/codec'];
const NATIVE = ['node-datachannel', 'utp-native'];

const suite = new AsyncDisposableStack();
let folder = '';
let tarball = '';
let registry: Registry;
/** Has installed the package as most would. */
let project: Project;

beforeAll(async () => {
  folder = suite.use(await temporaryFolder('package')).path;
  const said = await makePackage(folder);
  tarball = /^Made (\S+\.tgz)/m.exec(said)?.[1] ?? '';
  registry = suite.use(await startRegistry([tarball]));
  project = await Project.create(path.join(folder, 'project'));
  await project.install(registry, 'seedbed');
  await project.copy('examples/page', 'page');
});
afterAll(() => suite.disposeAsync());

const packed = (): string[] =>
  execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n').toSorted();
const readPacked = (file: string): string =>
  execFileSync('tar', ['-xzOf', tarball, `package/${file}`], { encoding: 'utf8' });

/** Whether a size is what a README says it is, give or take 15 %; it may grow a little without a new README. */
function isAbout(sizeBytes: number, stated: RegExp, readme: string): boolean {
  const [, kilobytes] = stated.exec(readme) ?? [];
  return Math.abs(sizeBytes / 1000 / Number(kilobytes) - 1) < 0.15;
}

/** The programs in the package's README, by the file name that their first line gives. */
function readmePrograms(): { readonly name: string; readonly code: string }[] {
  const blocks = [...readPacked('README.md').matchAll(/^```ts\n(\/\/ (\S+\.ts)[^]*?)^```$/gm)];
  return blocks.map(([, code = '', name = '']) => ({ name, code }));
}

describe('the tarball', () => {
  test('holds compiled modules and declarations of the engine, a manifest, a README, the licence, and nothing else', () => {
    const rooms = 'base|codec|torrent(?:/[a-z-]+)?|dht|kit/(?:node|browser)|adapters/[a-z-]+';
    const module = new RegExp(`^package/lib/(?:${rooms})/[a-z0-9-]+\\.(?:js|d\\.ts)$`);
    const others = packed().filter((file) => !module.test(file));
    expect(others).toEqual(['package/LICENSE', 'package/README.md', 'package/package.json']);
    expect(packed().length).toBeGreaterThan(100);
  });

  test('names no file of the machine it was made on', () => {
    const text = execFileSync('tar', ['-xzOf', tarball], { encoding: 'utf8', maxBuffer: 100_000_000 });
    expect(text).not.toContain(ROOT);
    expect(text).not.toContain(folder);
  });

  test('is made of the sources alone: making it again gives the same bytes', async () => {
    const again = path.join(folder, 'again');
    await makePackage(again);
    expect(readFileSync(path.join(again, path.basename(tarball))).equals(readFileSync(tarball))).toBe(true);
  });

  test('is about as large as the READMEs say', () => {
    const { size } = statSync(tarball);
    expect(isAbout(size, /(\d+) kB packed/, readPacked('README.md'))).toBe(true);
    expect(isAbout(size, /\.tgz, (\d+) kB/, readFileSync(path.join(ROOT, 'README.md'), 'utf8'))).toBe(true);
  });

  test('exports what the checkout exports, each with its types', () => {
    const ours = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { exports: object };
    const theirs = JSON.parse(readPacked('package.json')) as { exports: Record<string, Record<string, string>> };
    const { './package.json': itself, ...entries } = theirs.exports;
    expect(itself).toBe('./package.json');
    expect(Object.keys(entries)).toEqual(Object.keys(ours.exports));
    const targets = Object.values(entries).flatMap(({ types, default: code }) => [types, code]);
    expect(packed()).toEqual(expect.arrayContaining(targets.map((target) => path.posix.join('package', target ?? ''))));
  });
});

/** Seeds a file with one copied example and streams it with the other, as two processes. Resolves with what came. */
async function exchange(user: Project): Promise<Buffer> {
  const cwd = user.folder;
  for (const example of ['node-seed.ts', 'node-download.ts']) await user.copy(`examples/${example}`, example);
  await writeFile(path.join(cwd, 'film.bin'), FILE);
  await using seeder = startProgram(process.execPath, ['node-seed.ts', 'film.bin'], { cwd });
  const [magnet = ''] = await seeder.line(/magnet:\S+/);
  const [, port = ''] = await seeder.line(/at port (\d+)/);
  const command = ['node-download.ts', magnet, '--peer', `127.0.0.1:${port}`];
  const options = { cwd, encoding: 'buffer', maxBuffer: 2 * FILE.length, timeout: 60_000 } as const;
  return (await promisify(execFile)(process.execPath, command, options)).stdout;
}

describe('an empty project that installs it', () => {
  test('gets the libraries that the engine needs, and none of the server', async () => {
    const manifest = JSON.parse(readPacked('package.json')) as Record<string, object>;
    expect(Object.keys(manifest['dependencies'] ?? {})).toEqual(['@noble/hashes', 'ws']);
    expect(Object.keys(manifest['optionalDependencies'] ?? {})).toEqual(NATIVE);
    expect(project.installed).toEqual(expect.arrayContaining(['@noble/hashes', 'seedbed', 'ws', ...NATIVE]));
    expect(project.installed.length).toBeLessThan(20);
    expect(registry.refused).toEqual(new Set());
  });

  test('seeds with one example and downloads with the other', async () => {
    expect((await exchange(project)).equals(FILE)).toBe(true);
  });

  test('does so without the native libraries, too', async () => {
    const bare = await Project.create(path.join(folder, 'bare'));
    await bare.install(registry, 'seedbed', '--omit=optional');
    expect(bare.installed).toEqual(['@noble/hashes', 'seedbed', 'ws']);
    expect((await exchange(bare)).equals(FILE)).toBe(true);
  });
});

test.each(ENTRIES)('a CommonJS program gets %s by require', async (entry) => {
  const print = `console.log(Object.keys(require('${entry}')).length > 5)`;
  await using program = startProgram(process.execPath, ['--input-type=commonjs', '--eval', print], {
    cwd: project.folder,
  });
  expect((await program.success()).trim()).toBe('true');
});

/** Checked as strictly as TypeScript can, declarations of libraries included. */
const STRICT = {
  target: 'es2024',
  module: 'nodenext',
  strict: true,
  noEmit: true,
  allowImportingTsExtensions: true,
  verbatimModuleSyntax: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
};
const NODE = { ...STRICT, lib: ['es2024', 'esnext.disposable'], types: ['node'] };
const PAGE = { ...STRICT, lib: ['es2024', 'esnext.disposable', 'dom', 'dom.iterable', 'dom.asynciterable'], types: [] };

describe('its types', () => {
  beforeAll(async () => {
    await project.install(registry, '--save-dev', '@types/node');
    await project.write('all.ts', ENTRIES.map((entry, n) => `export * as all${n} from '${entry}';`).join('\n'));
    await project.write(
      'page/all.ts',
      PAGE_ENTRIES.map((entry, n) => `export * as all${n} from '${entry}';`).join('\n'),
    );
    for (const { name, code } of readmePrograms()) await project.write(name, code);
  });

  test('hold in Node programs, which know nothing of the DOM', async () => {
    const programs = readmePrograms().flatMap(({ name }) => (name.startsWith('page/') ? [] : name));
    expect(programs.length).toBeGreaterThan(0);
    expect(await project.typeCheck(NODE, ['all.ts', 'node-seed.ts', 'node-download.ts', ...programs])).toBe('');
  });

  test.each([
    { module: 'nodenext', moduleResolution: 'nodenext' },
    { module: 'esnext', moduleResolution: 'bundler' },
  ])('hold in pages, which know nothing of Node, with $moduleResolution resolution', async (resolution) => {
    const programs = readmePrograms().flatMap(({ name }) => (name.startsWith('page/') ? name : []));
    expect(programs.length).toBeGreaterThan(0);
    const files = ['page/all.ts', 'page/main.ts', 'page/worker.ts', ...programs];
    expect(await project.typeCheck({ ...PAGE, ...resolution }, files)).toBe('');
  });

  test('are types: what is used wrongly is refused', async () => {
    await project.write(
      'wrong.ts',
      `import { parseMagnet } from 'seedbed/codec';\nparseMagnet(42).trackers.nonsense();\n`,
    );
    const complaints = await project.typeCheck(NODE, ['wrong.ts']);
    expect(complaints).toContain("Argument of type 'number' is not assignable to parameter of type 'string'");
    expect(complaints).toContain("Property 'nonsense' does not exist");
  });
});

/** Has Vite build for browsers. Resolves with the modules of Node's that would be needed there. */
async function bundle(config: InlineConfig): Promise<ReadonlySet<string>> {
  const builtins = new Set<string>();
  const watch = (): Plugin => ({
    name: 'watch-builtins',
    enforce: 'pre',
    resolveId: (id) => {
      if (isBuiltin(id)) builtins.add(id);
      return null;
    },
  });
  const worker: InlineConfig['worker'] = { format: 'es', plugins: () => [watch()] };
  await build({ logLevel: 'silent', plugins: [watch()], worker, ...config });
  return builtins;
}

describe('a page that bundles it', () => {
  const configFile = (): string => path.join(project.folder, 'page/vite.config.ts');

  beforeAll(() => symlink(path.join(ROOT, 'node_modules/vite'), path.join(project.folder, 'node_modules/vite')));

  test('needs nothing of Node', async () => {
    expect(await bundle({ configFile: configFile() })).toEqual(new Set());
    const bundled = globSync('dist/assets/*.js', { cwd: path.dirname(configFile()) });
    expect(bundled.some((file) => file.includes('worker'))).toBe(true);
  });

  test('is about as large as the README says', async () => {
    await bundle({ configFile: configFile() });
    const page = path.dirname(configFile());
    const scripts = globSync('dist/assets/*.js', { cwd: page }).map((file) => readFileSync(path.join(page, file)));
    const gzippedBytes = scripts.reduce((sum, script) => sum + gzipSync(script).length, 0);
    expect(isAbout(gzippedBytes, /(\d+) kB gzipped/, readPacked('README.md'))).toBe(true);
  });

  test('would be found out if it did', async () => {
    const root = path.join(project.folder, 'node-page');
    await project.write('node-page/main.ts', `import { SwarmNode } from 'seedbed/torrent/node';\nSwarmNode.open();\n`);
    const input = path.join(root, 'main.ts');
    const builtins = await bundle({ configFile: false, root, build: { rolldownOptions: { input } } });
    expect(builtins).toContain('node:net');
  });

  describeWith(['chromium', 'ffmpeg'], 'in a browser', () => {
    test('plays what the Node example seeds, both from the package', async () => {
      await bundle({ configFile: configFile() });
      await using site = await servePage(configFile());
      await using server = await startServer({
        dataFolder: await testFolder('package-tracker'),
        settings: { SEEDBED_TRACKER_OPEN: 'true' },
      });
      await copyFile(
        await mp4Video(findProgram('ffmpeg') ?? '', { seconds: 20 }),
        path.join(project.folder, 'film.mp4'),
      );
      const tracker = `${server.origin.replace('http', 'ws')}/announce`;
      const command = ['node-seed.ts', 'film.mp4', '--tracker', tracker];
      await project.copy('examples/node-seed.ts', 'node-seed.ts');
      await using seeder = startProgram(process.execPath, command, { cwd: project.folder });
      const [magnet = ''] = await seeder.line(/magnet:\S+/);

      await using browser = await openBrowser({ executablePath: findProgram('chromium') ?? '' });
      const page = await browser.newPage();
      await page.goto(`${site.origin}?magnet=${encodeURIComponent(magnet)}`);
      await playsFrom(page, 15);
      await page.getByRole('status').getByText('100 % here').waitFor();
      expect(browser.problems).toEqual([]);
    });
  });
});
