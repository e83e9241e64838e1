/** What users of the engine can import has a sentence in their editor: every export of the four entry points. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync } from 'vite';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');
const { exports: entries } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, string>;
};

/** Exported names without a docstring, as `file: name`; `names` are those wanted of the file, undefined: all. */
function undocumented(file: string, source: string, names?: ReadonlySet<string>): string[] {
  const { program, comments, module } = parseSync(file, source);
  const docEnds = new Set(comments.filter(({ value }) => value.startsWith('*')).map(({ end }) => end));
  const found: string[] = [];
  for (const { start, entries: exported } of module.staticExports) {
    const isDocumented = docEnds.has(source.slice(0, start).trimEnd().length);
    for (const { exportName, moduleRequest } of exported)
      if (moduleRequest === null && !isDocumented && exportName.name !== null)
        if (names?.has(exportName.name) ?? true) found.push(`${file}: ${exportName.name}`);
  }
  if (program.body.length === 0) throw new Error(`${file} is empty`);
  return found;
}

/** The files that an entry re-exports, each with the names it takes; undefined: all. */
function reexported(file: string, source: string): Map<string, Set<string> | undefined> {
  const files = new Map<string, Set<string> | undefined>();
  for (const { entries: exported } of parseSync(file, source).module.staticExports)
    for (const { moduleRequest, importName } of exported) {
      if (moduleRequest === null) continue;
      const target = path.posix.join(path.posix.dirname(file), moduleRequest.value);
      const names = importName.name === null ? undefined : new Set(files.get(target)).add(importName.name);
      files.set(target, names);
    }
  return files;
}

const modules = Object.entries(entries).map(([name, file]) => [path.posix.join('seedbed', name), file] as const);

test.each(modules)('every export of %s says in a docstring what it is', (_, entry) => {
  const file = path.posix.normalize(entry);
  const source = readFileSync(path.join(root, file), 'utf8');
  const files = [...reexported(file, source)];
  expect(files.length).toBeGreaterThan(4);
  const lacking = files.flatMap(([target, names]) =>
    undocumented(target, readFileSync(path.join(root, target), 'utf8'), names),
  );
  expect([...undocumented(file, source), ...lacking]).toEqual([]);
});

test.each([
  ['export const a = 1;', undefined, ['x.ts: a']],
  ['/** A. */\nexport const a = 1;', undefined, []],
  ['/* a */\nexport class A {}', undefined, ['x.ts: A']],
  ['/** A. */\n\nexport interface A {}\nexport type B = 1;', undefined, ['x.ts: B']],
  ['export function a() {}\nexport function b() {}', ['b'], ['x.ts: b']],
])('in %j, where users get %j, these lack one: %j', (source, names, lacking) => {
  expect(undocumented('x.ts', source, names && new Set(names))).toEqual(lacking);
});
