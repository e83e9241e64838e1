/** The documents are held to the sources: tests, settings, commands and files they name must exist as they name them. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { capsOf } from '../src/app/caps.ts';
import { describeConfig, readConfig } from '../src/app/config.ts';

const root = path.resolve(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** `` `src/codec/bencode.test.ts` › a title `` anywhere in a cell of docs/protocols.md. */
const PROOF = /`([^`]+\.test\.tsx?)` › ([^|]+?)(?=<br>| *\|)/g;

interface ProtocolRow {
  readonly line: string;
  readonly proofs: readonly { readonly file: string; readonly title: string }[];
}

function protocolRows(text: string): ProtocolRow[] {
  const rows = text.split('\n').filter((line) => /^\| (?!paper|---)\S/.test(line));
  return rows.map((line) => ({
    line,
    proofs: [...line.matchAll(PROOF)].map(([, file = '', title = '']) => ({ file, title: title.trim() })),
  }));
}

/** What is wrong with a row; a title must stand in the file as a string, templates of `test.each` included. */
function complaints({ line, proofs }: ProtocolRow): string[] {
  if (proofs.length === 0) return [`names no test: ${line}`];
  return proofs.flatMap(({ file, title }) => {
    if (!existsSync(path.join(root, file))) return [`no such test file: ${file}`];
    const source = read(file).replaceAll('\\', '');
    const quoted = [`'${title}'`, `"${title}"`, `\`${title}\``];
    return quoted.some((text) => source.includes(text)) ? [] : [`no such test: ${file} › ${title}`];
  });
}

describe('docs/protocols.md', () => {
  const rows = protocolRows(read('docs/protocols.md'));

  test('every row names a test that exists', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.flatMap(complaints)).toEqual([]);
  });

  test.each([
    ['| BEP 3 | wire | by hand |', 'names no test'],
    ['| BEP 3 | wire | `src/none.test.ts` › a title |', 'no such test file: src/none.test.ts'],
    [
      '| BEP 3 | wire | `test/architecture.test.ts` › never written |',
      'no such test: test/architecture.test.ts › never',
    ],
  ])('a row such as %s is refused', (line, message) => {
    expect(protocolRows(line).flatMap(complaints)).toEqual([expect.stringContaining(message)]);
  });
});

describe('docs/limits.md', () => {
  const lines = read('docs/limits.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'));

  test('lists every global cap with its default, and no other', () => {
    const listed = lines.map((line) => /^\| `(\w+)` \| (\d+) \|/.exec(line)?.slice(1).join(' '));
    const caps = Object.entries(capsOf(readConfig({}))).map(([name, value]) => `${name} ${value}`);
    expect(new Set(listed)).toEqual(new Set(caps));
  });

  test('every cap names a test that exists', () => {
    expect(protocolRows(lines.join('\n')).flatMap(complaints)).toEqual([]);
  });
});

describe('README.md', () => {
  test('lists every setting with its default and meaning, and no other', () => {
    const listed = [...read('README.md').matchAll(/^\| `(SEEDBED_\w+)` \| (.*?) \| (.*) \|$/gm)].map(
      ([, key, fallback, meaning]) => ({ key, fallback, meaning }),
    );
    const settings = describeConfig(readConfig({})).map(({ key, fallback, meaning }) => ({
      key,
      fallback: fallback === '' ? 'none' : fallback === '(derived)' ? 'derived' : `\`${fallback}\``,
      meaning,
    }));
    expect(listed).toEqual(settings);
  });
});

test('docs/benchmarks.md has a row for every bench, and no other', () => {
  const rows = [...read('docs/benchmarks.md').matchAll(/^\| `([\w-]+)` \|/gm)].map(([, name]) => name);
  const benches = globSync('bench/*.ts', { cwd: root }).map((file) => path.basename(file, '.ts'));
  expect(new Set(rows)).toEqual(new Set(benches.filter((name) => name !== 'run')));
});

describe('every document', () => {
  const documents = globSync(['*.md', 'docs/**/*.md'], { cwd: root });

  test('links only to files that exist', () => {
    const dead = documents.flatMap((document) =>
      [...read(document).matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)/g)]
        .map(([, target = '']) => path.join(path.dirname(document), target))
        .filter((target) => !existsSync(path.join(root, target)))
        .map((target) => `${document} → ${target}`),
    );
    expect(dead).toEqual([]);
  });

  test('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = documents.flatMap((document) =>
      [...read(document).matchAll(/npm run ([\w-]+)/g)].map(([, name]) => name),
    );
    expect(named.filter((name) => name !== undefined && !(name in scripts))).toEqual([]);
  });

  test('ARCHITECTURE.md has a line for every room', () => {
    const map = read('ARCHITECTURE.md');
    const rooms = globSync('src/*/', { cwd: root }).map((room) => `src/${path.basename(room)}`);
    expect(rooms.filter((room) => !map.includes(`\`${room}\``) && !map.includes(`\`${room}/*\``))).toEqual([]);
  });
});
