/**
 * What compiled modules import, read by a parser and not by pattern: comments hold imports too. Pure: code comes in as
 * text, or from `read`.
 */
import path from 'node:path';
import { parseSync } from 'vite';
import { PackagingFailed } from './failure.ts';

interface Import {
  readonly specifier: string;
  /** Where the specifier stands in the code, quotes included. */
  readonly start: number;
  readonly end: number;
}

const isDeclaration = (file: string): boolean => file.endsWith('.d.ts');

/** Everything a module names from elsewhere: imports, re-exports and `import()` of literals. @throws PackagingFailed */
function importsOf(file: string, code: string): Import[] {
  const { module, errors } = parseSync(file, code, { lang: isDeclaration(file) ? 'dts' : 'js' });
  const [error] = errors;
  if (error !== undefined) throw new PackagingFailed(`${file} cannot be read: ${error.message}`, { file });
  const requests = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest),
    ...module.staticExports.flatMap(({ entries }) => entries.flatMap(({ moduleRequest }) => moduleRequest ?? [])),
    ...module.dynamicImports.map(({ moduleRequest }) => moduleRequest),
  ];
  // An `export { a, b } from` has an entry for each name, all with the same specifier.
  const places = new Map(requests.map(({ start, end }) => [start, end]));
  return [...places].map(([start, end]) => {
    const literal = code.slice(start, end);
    if (!/^(['"]).*\1$/.test(literal)) throw new PackagingFailed(`${file} imports ${literal}, known only at run time`);
    return { specifier: literal.slice(1, -1), start, end };
  });
}

/** A declaration file whose relative imports name `.js`, as those of the code do; TypeScript's emit leaves them at `.ts`. */
export function withJsExtensions(file: string, code: string): string {
  let rewritten = '';
  let copiedTo = 0;
  for (const { specifier, start, end } of importsOf(file, code).toSorted((a, b) => a.start - b.start)) {
    if (!specifier.startsWith('.')) continue;
    rewritten += `${code.slice(copiedTo, start)}'${specifier.replace(/\.ts$/, '.js')}'`;
    copiedTo = end;
  }
  return rewritten + code.slice(copiedTo);
}

/** What a package's entries lead to. */
export interface Reach {
  /** Modules, relative to the package. */
  readonly files: ReadonlySet<string>;
  /** Other packages, each with the modules that import it. Node's own modules are none. */
  readonly packages: ReadonlyMap<string, readonly string[]>;
}

/**
 * Follows the imports from `entries` on; `read` gives the code of a module, undefined where there is none.
 * @throws PackagingFailed for an import that leads nowhere
 */
export function reachFrom(entries: readonly string[], read: (file: string) => string | undefined): Reach {
  const files = new Set(entries);
  const packages = new Map<string, string[]>();
  for (const file of files) {
    const code = read(file);
    if (code === undefined)
      throw new PackagingFailed(`${file} is imported or exported, but was not compiled`, { file });
    for (const { specifier } of importsOf(file, code)) {
      if (specifier.startsWith('.')) files.add(moduleFile(file, specifier));
      else if (!specifier.startsWith('node:'))
        packages.set(packageName(specifier), [...(packages.get(packageName(specifier)) ?? []), file]);
    }
  }
  return { files, packages };
}

/** `./peer.js` in a declaration file stands for `peer.d.ts`. */
function moduleFile(importer: string, specifier: string): string {
  const file = path.posix.join(path.posix.dirname(importer), specifier);
  return isDeclaration(importer) ? file.replace(/\.js$/, '.d.ts') : file;
}

/** `@noble/hashes/sha2.js` is part of `@noble/hashes`. */
function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
