/** The import table: which room of the house may import which. This test is the law (docs: ARCHITECTURE.md). */
import { readFileSync } from 'node:fs';
import { globSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');

/**
 * The engine's rooms, from the floor up: each may import those before it. `torrent/ports` stands for the two files of its
 * top folder that all may know; the rest of that folder, `torrent`, is what joins the rooms and what users get.
 */
const ENGINE_ROOMS = [
  'torrent/ports',
  'torrent/limits',
  'torrent/hashes',
  'torrent/pieces',
  'torrent/peer',
  'torrent/reading',
  'torrent/download',
  'torrent/content',
  'torrent/crowd',
  'torrent',
];
const ENGINE = Object.fromEntries(
  ENGINE_ROOMS.map((room, floor) => [room, ['base', 'codec', ...ENGINE_ROOMS.slice(0, floor)]]),
);
const ENGINE_PORTS = new Set(['src/torrent/ports.ts', 'src/torrent/geometry.ts']);

/**
 * room → rooms it may import, besides itself. `adapters/x` entries name the one folder whose interface they fulfil, and
 * `adapters/guard` where they go out; `kit/x` entries name the adapters that the engine gets on that platform.
 */
const TABLE: Readonly<Record<string, readonly string[]>> = {
  base: [],
  codec: ['base'],
  ...ENGINE,
  dht: ['base', 'codec'],
  store: ['base'],
  nostr: ['base'],
  tracker: ['base', 'codec'],
  accounts: ['base', 'nostr', 'store'],
  media: ['base', 'codec', 'torrent', 'store', 'nostr', 'tracker', 'accounts'],
  http: ['base', 'codec', 'torrent', 'store', 'nostr', 'tracker', 'accounts', 'media'],
  'adapters/fs': ['base', 'codec', 'store', 'torrent'],
  'adapters/sqlite': ['base', 'codec', 'store'],
  'adapters/tcp': ['base', 'codec', 'torrent'],
  'adapters/node-crypto': ['base', 'codec', 'torrent'],
  'adapters/utp': ['base', 'codec', 'torrent'],
  'adapters/webrtc': ['base', 'codec', 'torrent'],
  'adapters/guard': ['base'],
  'adapters/dht': ['base', 'dht'],
  'adapters/lsd': ['base', 'codec'],
  'adapters/webseed': ['base', 'codec', 'torrent', 'adapters/guard'],
  'adapters/tracker-client': ['base', 'codec', 'torrent', 'adapters/guard'],
  'adapters/udp-tracker': ['base', 'codec', 'tracker'],
  'adapters/browser': ['base', 'codec', 'torrent'],
  'adapters/page': ['base', 'codec', 'adapters/browser'],
  'kit/node': [
    'base',
    'codec',
    'torrent',
    'dht',
    'adapters/dht',
    'adapters/fs',
    'adapters/guard',
    'adapters/lsd',
    'adapters/node-crypto',
    'adapters/tcp',
    'adapters/tracker-client',
    'adapters/utp',
    'adapters/webrtc',
    'adapters/webseed',
  ],
  'kit/browser': ['base', 'codec', 'torrent', 'adapters/browser', 'adapters/page'],
  app: ['*'],
  cli: ['base', 'app'],
  web: ['base', 'codec', 'torrent', 'store', 'nostr', 'adapters/browser', 'adapters/page'],
};

/** Rooms that also run in the browser: no `node:` module, no Buffer, no process. */
const BROWSER_SAFE = new Set([
  'base',
  'codec',
  ...ENGINE_ROOMS,
  'store',
  'nostr',
  'adapters/browser',
  'adapters/page',
  'kit/browser',
  'web',
]);

function roomOf(file: string): string | undefined {
  const parts = file.split('/');
  if (parts[0] === 'web') return parts[1] === 'src' ? 'web' : undefined; // the rest of web/ is its build
  if (parts[0] !== 'src') return undefined;
  if (ENGINE_PORTS.has(file)) return 'torrent/ports';
  const hasRooms = parts[1] === 'adapters' || parts[1] === 'kit' || (parts[1] === 'torrent' && parts.length > 3);
  return hasRooms ? `${parts[1]}/${parts[2]}` : parts[1];
}

const IMPORT = /(?:from\s+|import\s*\(\s*|import\s+|new URL\(\s*)['"]([^'"]+)['"]/g;

/** The violations of one file, as sentences. */
function violations(file: string, source: string): string[] {
  const room = roomOf(file);
  if (room === undefined) return [];
  const allowed = TABLE[room];
  if (allowed === undefined) return [`${file}: the room ${room} is not in the import table`];
  const found: string[] = [];
  for (const [, specifier = ''] of source.matchAll(IMPORT)) {
    if (specifier.startsWith('node:') && BROWSER_SAFE.has(room))
      found.push(`${file}: ${room} runs in browsers and names ${specifier}`);
    if (!specifier.startsWith('.')) continue;
    const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
    const targetRoom = roomOf(target);
    if (targetRoom === undefined || targetRoom === room || allowed.includes('*')) continue;
    // Whoever may use the engine may fulfil its ports.
    const isPort = targetRoom === 'torrent/ports' && allowed.includes('torrent');
    if (isPort || allowed.includes(targetRoom)) continue;
    found.push(`${file}: ${room} may not import ${targetRoom}`);
  }
  return found;
}

const isTest = (file: string): boolean => /\.test\.tsx?$/.test(file);

test('every import points along the table', () => {
  const files = globSync(['src/**/*.ts', 'web/**/*.{ts,tsx}'], { cwd: root }).filter((file) => !isTest(file));
  expect(files.length).toBeGreaterThan(5);
  expect(files.flatMap((file) => violations(file, readFileSync(path.join(root, file), 'utf8')))).toEqual([]);
});

/** Ways to ask the network by name or URL that do not judge where they lead. */
const OUTGOING =
  /(?:\bawait|\breturn|\bvoid|[=(,?:>])\s+?fetch\(|[=(]fetch\(|\bhttps?\.(?:request|get)\(|\bnew WebSocket\(|\btls\.connect\(/;
/** Browsers judge for themselves; the WebSocket tracker client dials the addresses that the guard has pinned; doctor asks
 * the server that the operator's own settings name. */
const MAY_ASK = [
  /^src\/adapters\/(guard|browser|page)\//,
  /^src\/adapters\/tracker-client\/web-tracker\.ts$/,
  /^src\/app\/doctor\.ts$/,
];

function asksUnguarded(file: string, source: string): boolean {
  return !MAY_ASK.some((allowed) => allowed.test(file)) && OUTGOING.test(source);
}

test('what goes out over HTTP or WebSocket goes through the guard', () => {
  const files = globSync('src/**/*.ts', { cwd: root }).filter((file) => !isTest(file));
  expect(files.filter((file) => asksUnguarded(file, readFileSync(path.join(root, file), 'utf8')))).toEqual([]);
});

test.each([
  'const page = await fetch(url);',
  'http.get(url, done);',
  'const request = https.request(url, options);',
  'const socket = new WebSocket(url);',
])('a planted way out (%s) is found', (source) => {
  expect(asksUnguarded('src/media/x.ts', source)).toBe(true);
  expect(asksUnguarded('src/adapters/guard/x.ts', source)).toBe(false);
});

test.each([
  ['src/base/x.ts', `import { a } from '../media/y.ts';`, 'base may not import media'],
  ['src/store/x.ts', `import fs from 'node:fs';`, 'store runs in browsers and names node:fs'],
  ['src/adapters/tcp/x.ts', `export { a } from '../sqlite/y.ts';`, 'adapters/tcp may not import adapters/sqlite'],
  ['web/src/x.tsx', `import '../../src/media/y.ts';`, 'web may not import media'],
  ['src/torrent/x.ts', `const w = await import('../http/y.ts');`, 'torrent may not import http'],
  ['src/kit/node/x.ts', `import { a } from '../../media/y.ts';`, 'kit/node may not import media'],
  ['src/torrent/peer/x.ts', `import { a } from '../crowd/y.ts';`, 'torrent/peer may not import torrent/crowd'],
  ['src/torrent/crowd/x.ts', `import { a } from '../engine.ts';`, 'torrent/crowd may not import torrent'],
  ['src/torrent/limits/x.ts', `import fs from 'node:fs';`, 'torrent/limits runs in browsers and names node:fs'],
  ['src/media/x.ts', `import { a } from '../torrent/crowd/y.ts';`, 'media may not import torrent/crowd'],
  ['src/torrent/cellar/x.ts', ``, 'the room torrent/cellar is not in the import table'],
  ['src/gadgets/x.ts', ``, 'the room gadgets is not in the import table'],
])('a planted violation in %s is named', (file, source, message) => {
  expect(violations(file, source)).toEqual([expect.stringContaining(message)]);
});

test('examples use what the package exports, as a stranger would', () => {
  const files = globSync('examples/**/*.ts', { cwd: root });
  expect(files.length).toBeGreaterThan(1);
  const insiders = files.filter((file) =>
    /['"](?:\.\.\/)+(?:src|web|test)\//.test(readFileSync(path.join(root, file), 'utf8')),
  );
  expect(insiders).toEqual([]);
});
