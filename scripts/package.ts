/**
 * `npm run package`: makes the npm package of the engine, `seedbed-<version>.tgz`, with compiled JavaScript and
 * declarations; docs/decisions/010 says why it is not the checkout itself. The checkout is not touched: compiling and
 * staging happen in a temporary folder, and nothing but the tarball is left.
 *
 *     npm run package                     the tarball goes to dist/
 *     npm run package -- --out <folder>
 */
import { mkdir, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { AppError, InvalidInput } from '../src/base/errors.ts';
import { formatBytes } from '../src/base/units.ts';
import { PackagingFailed } from './package/failure.ts';
import { type CheckoutManifest, packageManifest } from './package/manifest.ts';
import { stageModules } from './package/stage.ts';
import { compile, pack } from './package/tools.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const USAGE = 'npm run package [-- --out <folder for the tarball, default: dist>]';

const say = (line: string): void => console.log(line);

/** Makes the tarball in `outFolder`. @throws PackagingFailed */
async function makePackage(outFolder: string): Promise<void> {
  const checkout = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')) as CheckoutManifest;
  await makeFolder(outFolder);
  await using folder = await mkdtempDisposable(path.join(os.tmpdir(), 'seedbed-package-'));
  const compiled = path.join(folder.path, 'compiled');
  const staged = path.join(folder.path, 'staged');
  say(`Compiling ${Object.values(checkout.exports).join(', ')}`);
  await compile(ROOT, path.join(compiled, 'lib'));
  const { files, packages } = await stageModules(checkout.exports, compiled, staged);
  const manifest = packageManifest(checkout, packages);
  await writeFile(path.join(staged, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  for (const [from, to] of [
    ['scripts/package/README.md', 'README.md'],
    ['LICENSE', 'LICENSE'],
  ] as const)
    await writeFile(path.join(staged, to), await readFile(path.join(ROOT, from)));
  say(`Packing ${files.length} modules and declarations`);
  const { filename, sizeBytes, unpackedBytes } = await pack(staged, outFolder);
  say(`Needs ${list(manifest.dependencies)}; where the system has them, ${list(manifest.optionalDependencies)}`);
  say(`Made ${path.join(outFolder, filename)}: ${formatBytes(sizeBytes)}, unpacked ${formatBytes(unpackedBytes)}`);
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new PackagingFailed(`${folder} is no folder that the tarball can go to`, { folder }, { cause: error });
  }
}

const list = (ranges: Readonly<Record<string, string>>): string =>
  Object.entries(ranges)
    .map(([name, range]) => `${name} ${range}`)
    .join(', ');

function readArguments(args: readonly string[]): { readonly out: string } {
  try {
    const { values } = parseArgs({ args: [...args], options: { out: { type: 'string', default: 'dist' } } });
    return values;
  } catch (error) {
    throw new InvalidInput(`${error instanceof Error ? error.message : String(error)}\nusage: ${USAGE}`);
  }
}

try {
  await makePackage(path.resolve(ROOT, readArguments(process.argv.slice(2)).out));
} catch (error) {
  if (!(error instanceof AppError)) throw error;
  console.error(`package: ${error.message}`);
  process.exitCode = error instanceof InvalidInput ? 2 : 1;
}
