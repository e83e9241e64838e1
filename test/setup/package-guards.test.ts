/** What the npm package refuses to be made of. */
import { globSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type CheckoutManifest, packageManifest } from '../../scripts/package/manifest.ts';
import { reachFrom, withJsExtensions } from '../../scripts/package/modules.ts';
import { type Staged, stageModules } from '../../scripts/package/stage.ts';
import { compile } from '../../scripts/package/tools.ts';
import { startProgram } from '../support/program.ts';
import { testFolder } from '../support/temp-dir.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

const CHECKOUT: CheckoutManifest = {
  name: 'seedbed',
  version: '1.2.3',
  license: 'MIT',
  engines: { node: '>=24' },
  exports: { './torrent': './src/torrent/index.ts' },
  dependencies: { ws: '8.1.0', 'node-datachannel': '0.33.4', react: '19.0.0' },
  optionalDependencies: { 'utp-native': '2.5.3' },
  devDependencies: { vitest: '5.0.0' },
};
const imports = (...names: string[]): Map<string, string[]> => new Map(names.map((name) => [name, ['lib/a.js']]));

describe('its package.json', () => {
  test('lists what is imported and nothing else, native libraries as optional', () => {
    const manifest = packageManifest(CHECKOUT, imports('ws', 'utp-native', 'node-datachannel'));
    expect(manifest.dependencies).toEqual({ ws: '^8.1.0' });
    expect(manifest.optionalDependencies).toEqual({ 'node-datachannel': '^0.33.4', 'utp-native': '^2.5.3' });
  });

  test.each([
    ['left-pad', 'lib/a.js imports left-pad, which is not in package.json'],
    ['vitest', 'lib/a.js imports vitest, which is for development only'],
  ])('cannot be made of modules that import %s', (name, message) => {
    expect(() => packageManifest(CHECKOUT, imports(name))).toThrow(message);
  });

  test.each(['./src/torrent/index.mjs', './lib/torrent/index.ts', './src/../secret.js'])(
    'cannot export %s, which is not compiled',
    (source) => {
      expect(() => packageManifest({ ...CHECKOUT, exports: { './torrent': source } }, imports())).toThrow(
        `exports ./torrent: ${source} is no TypeScript under ./src`,
      );
    },
  );
});

/** Modules by path. */
const reader =
  (modules: Readonly<Record<string, string>>) =>
  (file: string): string | undefined =>
    modules[file];

describe('its modules', () => {
  test('are those that the entries lead to, by import, re-export and import()', () => {
    const modules = {
      'lib/a.js': `import './b.js';\nexport { c, d } from './deep/c.js';\nconst e = await import('./e.js');`,
      'lib/b.js': `import ws from 'ws';\nimport fs from 'node:fs';`,
      'lib/deep/c.js': `export * from '../a.js';\nimport { sha256 } from '@noble/hashes/sha2.js';`,
      'lib/e.js': `import 'ws/lib/sender.js';`,
      'lib/alone.js': `import 'left-pad';`,
    };
    const { files, packages } = reachFrom(['lib/a.js'], reader(modules));
    expect([...files].toSorted()).toEqual(['lib/a.js', 'lib/b.js', 'lib/deep/c.js', 'lib/e.js']);
    expect(Object.fromEntries(packages)).toEqual({ ws: ['lib/b.js', 'lib/e.js'], '@noble/hashes': ['lib/deep/c.js'] });
  });

  test('do not depend on what is only spoken of', () => {
    const code = `/** import { a } from 'left-pad'; */\n// import 'right-pad'\nconst text = "import './x.js'";`;
    expect(reachFrom(['lib/a.js'], reader({ 'lib/a.js': code })).packages.size).toBe(0);
  });

  test.each([
    ['a module that is not there', `import './gone.js';`, 'lib/gone.js is imported or exported, but was not compiled'],
    ['a module known only at run time', 'await import(name);', 'lib/a.js imports name, known only at run time'],
    ['a name made at run time', 'await import(`./${name}.js`);', 'known only at run time'],
    ['something that is no JavaScript', 'import from from;', 'lib/a.js cannot be read'],
  ])('cannot import %s', (_, code, message) => {
    expect(() => reachFrom(['lib/a.js'], reader({ 'lib/a.js': code }))).toThrow(message);
  });
});

/** Stages a compiled `lib/torrent`, whose entry is `index`. */
async function stage(modules: Readonly<Record<string, string>>): Promise<Staged & { readonly folder: string }> {
  const [compiled, folder] = [await testFolder('package-compiled'), await testFolder('package-staged')];
  await mkdir(path.join(compiled, 'lib/torrent'), { recursive: true });
  for (const [file, text] of Object.entries(modules)) await writeFile(path.join(compiled, 'lib/torrent', file), text);
  return { ...(await stageModules(CHECKOUT.exports, compiled, folder)), folder };
}

describe('its declarations', () => {
  test('name the modules as the code does', () => {
    const emitted = `import type { A } from './a.ts';\nexport { B, C } from '../b.ts'; // './c.ts' stays\nimport 'x.ts';`;
    expect(withJsExtensions('lib/d.d.ts', emitted)).toBe(
      `import type { A } from './a.js';\nexport { B, C } from '../b.js'; // './c.ts' stays\nimport 'x.ts';`,
    );
  });

  test('show users no types of libraries, which may be missing', async () => {
    const staging = stage({
      'index.js': 'export class A {}',
      'index.d.ts': `export * from './a.ts';`,
      'a.d.ts': `import type Utp from 'utp-native';\nexport declare const utp: Utp;`,
    });
    await expect(staging).rejects.toThrow('lib/torrent/a.d.ts shows users types of utp-native');
  });

  test('are those that users can see, and the modules those that run; what else was compiled stays out', async () => {
    const staged = await stage({
      'index.js': `import './inner.js';\nexport class A {}`,
      'inner.js': `import 'ws';`,
      'alone.js': `import 'left-pad';`,
      'index.d.ts': `export { A } from './a.ts';`,
      'a.d.ts': 'export declare class A {}',
      'inner.d.ts': `import type ws from 'ws';`,
    });
    const wanted = ['a.d.ts', 'index.d.ts', 'index.js', 'inner.js'].map((file) => `lib/torrent/${file}`);
    expect(staged.files).toEqual(wanted);
    expect(globSync('lib/**/*.*', { cwd: staged.folder }).toSorted()).toEqual(wanted);
    expect([...staged.packages.keys()]).toEqual(['ws']);
  });
});

describe('npm run package', () => {
  test('says what TypeScript says when the sources do not compile', async () => {
    const folder = await testFolder('package-broken');
    await symlink(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
    await writeFile(path.join(folder, 'a.ts'), 'export const sizeBytes: number = "many";');
    const config = { compilerOptions: { noEmitOnError: true, strict: true, types: [] }, files: ['a.ts'] };
    await writeFile(path.join(folder, 'tsconfig.package.json'), JSON.stringify(config));
    await expect(compile(folder, path.join(folder, 'out'))).rejects.toThrow(
      /^TypeScript failed:\n.*a\.ts\(1,14\): error TS2322/,
    );
  });

  test.each([['--uot'], ['extra']])('refuses %s and says how it is used', async (argument) => {
    const program = startProgram(process.execPath, [path.join(ROOT, 'scripts/package.ts'), argument]);
    expect((await program.ended).code).toBe(2);
    expect(program.output).toContain('usage: npm run package');
    expect(program.output).not.toContain('    at ');
  });

  test('says in one line why when the tarball cannot be written', async () => {
    const file = path.join(await testFolder('package-out'), 'file');
    await writeFile(file, '');
    const program = startProgram(process.execPath, [path.join(ROOT, 'scripts/package.ts'), '--out', file]);
    expect((await program.ended).code).toBe(1);
    expect(program.output).toMatch(/^package: .*file is no folder that the tarball can go to/m);
  });
});
