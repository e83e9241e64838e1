/**
 * The package's `lib`: of what was compiled, the modules that the entries lead to and the declarations that users of the
 * entries can see. Nothing else goes in, and nothing these name is missing.
 */
import { globSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PackagingFailed } from './failure.ts';
import { type CheckoutManifest, entriesOf } from './manifest.ts';
import { type Reach, reachFrom, withJsExtensions } from './modules.ts';

export interface Staged {
  /** Relative to the package. */
  readonly files: readonly string[];
  /** Packages that the code imports, each with its importers. */
  readonly packages: Reach['packages'];
}

/** Copies from `compiled` to `staged`, both with a `lib` folder. @throws PackagingFailed */
export async function stageModules(
  exports: CheckoutManifest['exports'],
  compiled: string,
  staged: string,
): Promise<Staged> {
  const modules = readModules(compiled);
  const read = (file: string): string | undefined => modules.get(file);
  const entries = Object.values(entriesOf(exports));
  const code = reachFrom(
    entries.map((entry) => path.posix.normalize(entry.default)),
    read,
  );
  const declarations = reachFrom(
    entries.map((entry) => path.posix.normalize(entry.types)),
    read,
  );
  refuseForeignTypes(declarations);
  const files = [...code.files, ...declarations.files].toSorted();
  for (const file of files) {
    const target = path.join(staged, file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, modules.get(file) ?? '');
  }
  return { files, packages: code.packages };
}

/** The compiled text of every module, by its path in the package. */
function readModules(compiled: string): ReadonlyMap<string, string> {
  const files = globSync('lib/**/*.{js,d.ts}', { cwd: compiled }).map((file) => file.replaceAll(path.sep, '/'));
  return new Map(
    files.map((file) => {
      const text = readFileSync(path.join(compiled, file), 'utf8');
      return [file, file.endsWith('.d.ts') ? withJsExtensions(file, text) : text];
    }),
  );
}

/** Libraries may be missing (the native ones) or have no types (utp-native), so no type of theirs may be in what users see. */
function refuseForeignTypes({ packages }: Reach): void {
  for (const [name, importers] of packages)
    throw new PackagingFailed(`${importers.join(', ')} shows users types of ${name}`, { name });
}
