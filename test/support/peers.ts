/**
 * What a test needs from the machine: programs, rights, network. On a machine that lacks it the test is skipped and
 * says why; with SEEDBED_FORBID_SKIP=1 (CI) the lack is a failure instead, so that no promise goes unproven there.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { describe, type TestContext } from 'vitest';

/** Program → the Debian package that brings it. */
const PACKAGES = {
  aria2c: 'aria2',
  chromium: 'chromium',
  curl: 'curl',
  ffmpeg: 'ffmpeg',
  ffprobe: 'ffmpeg',
  git: 'git',
  ip: 'iproute2',
  'mkfs.ext4': 'e2fsprogs',
  nginx: 'nginx-light',
  opentracker: 'opentracker',
  python3: 'python3-libtorrent',
  strace: 'strace',
  'transmission-cli': 'transmission-cli',
  'transmission-daemon': 'transmission-daemon',
  'transmission-remote': 'transmission-cli',
} as const;

export type Program = keyof typeof PACKAGES;
export type Capability = 'root' | 'network namespaces' | 'loop devices' | 'libtorrent' | 'npm registry';
export type Need = Program | Capability;

const FOLDERS = [
  ...(process.env['PATH'] ?? '').split(path.delimiter),
  '/usr/local/bin',
  '/usr/bin',
  '/usr/sbin',
  '/sbin',
];
const REGISTRY_TIMEOUT_MS = 10_000;

/** Raised instead of a skip where skipping is forbidden. */
export class PeerMissing extends Error {
  override readonly name = 'PeerMissing';
}

/** Absolute path of a program on this machine, or undefined. Never skips, never throws. */
export function findProgram(name: string): string | undefined {
  // Only Debian's own interpreter sees Debian's libtorrent.
  const candidates = name === 'python3' ? ['/usr/bin/python3'] : FOLDERS.map((folder) => path.join(folder, name));
  return candidates.find((candidate) => isExecutable(candidate));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function succeeds(program: string, args: readonly string[], timeoutMs = 5_000): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore', timeout: timeoutMs });
    return true;
  } catch {
    return false;
  }
}

const PROBES: Readonly<Record<Capability, () => string | undefined>> = {
  root: () => (process.getuid?.() === 0 ? undefined : 'needs root'),
  'network namespaces': () =>
    succeeds('unshare', ['--net', 'true']) && findProgram('ip') !== undefined
      ? undefined
      : 'needs network namespaces (root on Linux, apt-get install iproute2)',
  'loop devices': () =>
    succeeds('losetup', ['--find']) && findProgram('mkfs.ext4') !== undefined
      ? undefined
      : 'needs loop devices (root on Linux, apt-get install e2fsprogs)',
  libtorrent: () =>
    succeeds('/usr/bin/python3', ['-c', 'import libtorrent'])
      ? undefined
      : 'libtorrent for Python is not installed (apt-get install python3-libtorrent)',
  'npm registry': () =>
    succeeds('npm', ['ping', '--fetch-retries=0'], REGISTRY_TIMEOUT_MS) ? undefined : 'no npm registry within reach',
};

const isProgram = (need: Need): need is Program => need in PACKAGES;
const answers = new Map<Need, string | undefined>();

/** Why the need is not met here; undefined when it is. Probed once per process. */
export function lackOf(need: Need): string | undefined {
  if (!answers.has(need)) answers.set(need, probe(need));
  return answers.get(need);
}

function probe(need: Need): string | undefined {
  if (!isProgram(need)) return PROBES[need]();
  return findProgram(need) === undefined ? `${need} is not installed (apt-get install ${PACKAGES[need]})` : undefined;
}

function firstLack(needs: readonly Need[]): string | undefined {
  const lack = needs.map(lackOf).find((reason) => reason !== undefined);
  if (lack !== undefined && process.env['SEEDBED_FORBID_SKIP'] === '1')
    throw new PeerMissing(`${lack}; skipping is forbidden by SEEDBED_FORBID_SKIP=1`);
  return lack;
}

/** Skips the running test with the reason unless every need is met. @throws PeerMissing where skipping is forbidden. */
export function requireAll(context: Pick<TestContext, 'skip'>, ...needs: readonly Need[]): void {
  const lack = firstLack(needs);
  if (lack !== undefined) context.skip(lack);
}

/** Path of the program; skips the running test with the reason where it is missing. @throws PeerMissing where skipping is forbidden. */
export function requirePeer(context: Pick<TestContext, 'skip'>, name: Program): string {
  requireAll(context, name);
  return findProgram(name) ?? name;
}

/** A `describe` whose tests all need the same things; where one lacks, the group is skipped under a title that says why. */
export function describeWith(needs: readonly Need[], title: string, body: () => void): void {
  const lack = firstLack(needs);
  if (lack === undefined) describe(title, body);
  else describe.skip(`${title} (skipped: ${lack})`, body);
}
