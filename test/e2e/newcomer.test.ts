/** What somebody meets who clones the repository and types `npm start`, on a machine whose Node may be too old. */
import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cloneHead, gitStatus, newcomerEnv } from '../support/clone.ts';
import { eventually } from '../support/eventually.ts';
import { freePorts } from '../support/free-port.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import { type Program, startProgram } from '../support/program.ts';
import { type TemporaryFolder, temporaryFolder, testFolder } from '../support/temp-dir.ts';

const git = findProgram('git') ?? 'git';
const FIRST_START_MS = 300_000;
const NOWHERE = { npm_config_registry: 'http://127.0.0.1:1/', npm_config_fetch_retries: '0' };

interface Site {
  readonly clone: string;
  readonly port: number;
  readonly adminPort: number;
  readonly env: NodeJS.ProcessEnv;
}

/** A fresh clone in a folder of its own, and what a start there needs to be told. */
async function newSite(folder: string): Promise<Site> {
  const clone = path.join(folder, 'clone');
  cloneHead(git, clone);
  const [port = 0, adminPort = 0, peerPort = 0] = await freePorts(3);
  const env = newcomerEnv({
    SEEDBED_DATA: path.join(folder, 'data'),
    SEEDBED_PORT: String(port),
    SEEDBED_ADMIN_PORT: String(adminPort),
    SEEDBED_PEER_PORT: String(peerPort),
  });
  return { clone, port, adminPort, env };
}

/** An npm cache that holds nothing and a registry that answers nothing. */
function offline({ clone }: Site): NodeJS.ProcessEnv {
  return { ...NOWHERE, npm_config_cache: path.join(clone, '../empty-cache') };
}

function start({ clone, env }: Site, extra: NodeJS.ProcessEnv = {}): Program {
  return startProgram('npm', ['start'], { cwd: clone, env: { ...env, ...extra }, group: true, graceMs: 30_000 });
}

/** Waits for /readyz; a start that ends by itself fails at once with its output. */
async function ready({ adminPort }: Site, program: Program): Promise<void> {
  const isReady = async (): Promise<boolean> =>
    program.hasEnded ||
    (await fetch(`http://127.0.0.1:${adminPort}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
  await eventually('ready', isReady, { timeoutMs: FIRST_START_MS, intervalMs: 50 });
  if (program.hasEnded) expect.unreachable(`npm start ended by itself\n${program.output}`);
}

/** When the web app and the dependencies were made. */
function made({ clone }: Site): number[] {
  const files = ['dist/web/index.html', 'node_modules/.package-lock.json'];
  return files.map((file) => statSync(path.join(clone, file)).mtimeMs);
}

function refuses(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/`).then(
    () => false,
    () => true,
  );
}

describeWith(['git', 'npm registry'], 'on a fresh clone', () => {
  let folder: TemporaryFolder;
  let site: Site;

  beforeAll(async () => {
    folder = await temporaryFolder('newcomer');
    site = await newSite(folder.path);
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  test('npm start serves the page, stops cleanly, and starts again without network or rebuild', async () => {
    await using first = start(site);
    await ready(site, first);
    const page = await fetch(`http://127.0.0.1:${site.port}/`);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(await page.text()).toMatch(/<html/i);
    first.signal('SIGTERM');
    await first.ended;
    expect(await refuses(site.port)).toBe(true);
    expect(first.output).toContain('"event":"server.stopped"');

    const before = made(site);
    await using second = start(site, offline(site));
    await ready(site, second);
    expect((await fetch(`http://127.0.0.1:${site.port}/`)).status).toBe(200);
    second.signal('SIGTERM');
    await second.ended;
    expect(made(site)).toEqual(before);
    expect(gitStatus(git, site.clone)).toBe('');
  }, 900_000);

  test('the web app is built again when a source has changed, not when only its time has', async () => {
    const index = path.join(site.clone, 'dist/web/index.html');
    const source = path.join(site.clone, 'web/index.html');
    const prepare = async (): Promise<number> => {
      await using program = startProgram('node', ['scripts/run.mjs', 'prepare'], { cwd: site.clone, env: site.env });
      await program.success(FIRST_START_MS);
      return statSync(index).mtimeMs;
    };
    const first = await prepare();
    utimesSync(source, 0, 0);
    expect(await prepare()).toBe(first);
    writeFileSync(source, readFileSync(source, 'utf8').replace('<title>', '<title>Changed '));
    expect(await prepare()).toBeGreaterThan(first);
    expect(readFileSync(index, 'utf8')).toContain('<title>Changed ');
  }, 600_000);
});

describeWith(['git', 'npm registry'], 'several first commands at once', () => {
  test('set the clone up once, though a dead set-up left its lock behind', async () => {
    const { clone, env } = await newSite(await testFolder('newcomers'));
    const lock = path.join(clone, '.seedbed/lock');
    mkdirSync(path.dirname(lock));
    writeFileSync(lock, '999999999 0 0');
    utimesSync(lock, 0, 0);

    const command = ['scripts/run.mjs', 'exec', 'node', '-p', '"running " + process.versions.node'];
    const programs = [1, 2, 3].map(() => startProgram('node', command, { cwd: clone, env }));
    const outputs = await Promise.all(programs.map((program) => program.success(FIRST_START_MS)));

    for (const output of outputs) {
      const [, major, minor] = /running (\d+)\.(\d+)/.exec(output) ?? [];
      expect(Number(major) * 1_000 + Number(minor)).toBeGreaterThanOrEqual(24_015);
    }
    const stamp = path.join(clone, 'node_modules/.seedbed-installed-from.json');
    expect(readFileSync(stamp, 'utf8')).toBe(readFileSync(path.join(clone, 'package-lock.json'), 'utf8'));
    expect(gitStatus(git, clone)).toBe('');
  }, 600_000);
});

describeWith(['git'], 'without a registry', () => {
  test('a first start says in words what it needs', async () => {
    const site = await newSite(await testFolder('offline'));
    await using program = startProgram('node', ['scripts/run.mjs', 'exec', 'node', '--version'], {
      cwd: site.clone,
      env: { ...site.env, ...offline(site) },
    });
    expect((await program.ended).code).toBe(1);
    expect(program.output).toMatch(/seedbed: could not install .*needs the npm registry once/);
  }, 120_000);
});
