/** Somebody who uses the npm package: a project of their own, in an empty folder, with nothing of this checkout in reach. */
import { readFileSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { newcomerEnv } from './clone.ts';
import type { Registry } from './registry.ts';
import { startProgram } from './program.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const INSTALL_MS = 120_000;

/** Makes the tarball as `npm run package` does. Resolves with what was said. */
export function makePackage(outFolder: string): Promise<string> {
  const command = [path.join(ROOT, 'scripts/run.mjs'), 'package', '--out', outFolder];
  return startProgram(process.execPath, command, { cwd: ROOT }).success(INSTALL_MS);
}

/** A folder with a package.json, as `npm init` leaves it. */
export class Project {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(folder: string): Promise<Project> {
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }));
    return new Project(folder);
  }

  /** `npm install …`, from the registry given and from nowhere else. */
  async install(registry: Registry, ...args: readonly string[]): Promise<void> {
    const env = newcomerEnv({
      npm_config_registry: registry.url,
      npm_config_cache: path.join(this.folder, '.npm-cache'),
      npm_config_userconfig: path.join(this.folder, '.npmrc'),
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      npm_config_update_notifier: 'false',
      npm_config_ignore_scripts: 'true',
      npm_config_fetch_retries: '0',
    });
    await startProgram('npm', ['install', ...args], { cwd: this.folder, env }).success(INSTALL_MS);
  }

  /** Names of the installed packages, sorted. */
  get installed(): readonly string[] {
    const record = readFileSync(path.join(this.folder, 'node_modules/.package-lock.json'), 'utf8');
    const { packages } = JSON.parse(record) as { packages: Readonly<Record<string, unknown>> };
    return Object.keys(packages)
      .map((place) => place.split('node_modules/').at(-1) ?? '')
      .toSorted();
  }

  /** Copies a file or folder of the checkout's into the project. */
  async copy(from: string, to: string): Promise<void> {
    await cp(path.join(ROOT, from), path.join(this.folder, to), { recursive: true });
  }

  async write(file: string, text: string): Promise<void> {
    await mkdir(path.dirname(path.join(this.folder, file)), { recursive: true });
    await writeFile(path.join(this.folder, file), text);
  }

  /** Type-checks the project with a tsconfig.json of these options. Resolves with TypeScript's complaints, '' when there are none. */
  async typeCheck(compilerOptions: Readonly<Record<string, unknown>>, files: readonly string[]): Promise<string> {
    await this.write('tsconfig.json', JSON.stringify({ compilerOptions, files }));
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    const program = startProgram(process.execPath, [tsc, '--project', this.folder, '--pretty', 'false']);
    await program.ended;
    return program.output;
  }
}
