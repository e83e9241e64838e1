/**
 * The built web app in dist/web, rebuilt when one of its sources has changed. Whether one has is told by names, sizes
 * and times alone (a few ms); only when those differ the contents decide. The stamp goes before a build and comes back
 * after it, so that nobody takes an unfinished build for a whole one.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { runTool } from './child.mjs';
import { withLock } from './lock.mjs';
import { ROOT, SIDE } from './root.mjs';
import { say } from './say.mjs';

const TARGET = path.join(ROOT, 'dist', 'web');
const STAMP = path.join(SIDE, 'web.json');
/** What goes into the build: the app, the folders it may import, and the versions of its tools. */
const SOURCES = [
  'web',
  ...['base', 'codec', 'torrent', 'store', 'nostr', 'adapters/browser'].map((room) => `src/${room}`),
  'package-lock.json',
  'package.json',
];

/** @throws SetUpFailed when the build fails. */
export async function ensureWeb(node, env) {
  if (!isFresh(readStamp())) await withLock(() => build(node, env));
}

function isFresh(stamp) {
  return stamp !== undefined && stamp.stats === statSources() && fs.existsSync(path.join(TARGET, 'index.html'));
}

async function build(node, env) {
  const stamp = readStamp();
  if (isFresh(stamp)) return;
  const contents = hashSources();
  const stats = statSources();
  if (stamp?.contents !== contents || !fs.existsSync(path.join(TARGET, 'index.html'))) {
    say('Building the web app…');
    fs.rmSync(STAMP, { force: true });
    await runTool(node, [path.join(ROOT, 'node_modules/vite/bin/vite.js'), 'build', 'web'], {
      cwd: ROOT,
      env: { ...env, NODE_ENV: 'production' },
      help: 'could not build the web app.',
    });
  }
  fs.writeFileSync(STAMP, JSON.stringify({ stats, contents }));
}

function readStamp() {
  try {
    return JSON.parse(fs.readFileSync(STAMP, 'utf8'));
  } catch (error) {
    if (error.code !== 'ENOENT' && !(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

function statSources() {
  const hash = createHash('sha1');
  for (const file of listSources()) {
    const { size, mtimeMs } = fs.statSync(file);
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function hashSources() {
  const hash = createHash('sha256');
  for (const file of listSources())
    hash
      .update(`${path.relative(ROOT, file)}\0`)
      .update(fs.readFileSync(file))
      .update('\0');
  return hash.digest('hex');
}

function listSources() {
  return SOURCES.flatMap((source) => filesUnder(path.join(ROOT, source))).filter((file) => !/\.test\.tsx?$/.test(file));
}

function filesUnder(place) {
  const stat = fs.statSync(place, { throwIfNoEntry: false });
  if (!stat) return [];
  if (!stat.isDirectory()) return [place];
  return fs
    .readdirSync(place)
    .sort()
    .flatMap((name) => filesUnder(path.join(place, name)));
}
