/**
 * One set-up at a time per clone. The holder writes a file and touches it while it works, so a lock whose holder died,
 * in this boot or an earlier one, is recognised by its age and taken over by exactly one of those who wait.
 */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SIDE } from './root.mjs';
import { say, SetUpFailed } from './say.mjs';

const LOCK = path.join(SIDE, 'lock');
const TOUCH_MS = 2_000;
const STALE_MS = 30_000;
const POLL_MS = 100;
const WAIT_MS = 15 * 60_000;

/** Runs `work` while holding the lock. @throws SetUpFailed when another set-up has not ended after 15 minutes. */
export async function withLock(work) {
  try {
    fs.mkdirSync(SIDE, { recursive: true });
  } catch (error) {
    throw new SetUpFailed(`cannot write to ${SIDE} (${error.code}): set-up keeps what it builds there`);
  }
  const token = `${process.pid} ${Date.now()} ${Math.random()}`;
  await acquire(token);
  const release = () => {
    if (read(LOCK) === token) fs.rmSync(LOCK, { force: true });
  };
  const touching = setInterval(() => fs.utimes(LOCK, new Date(), new Date(), () => {}), TOUCH_MS);
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(touching);
    process.off('exit', release);
    release();
  }
}

async function acquire(token) {
  const deadline = Date.now() + WAIT_MS;
  let told = false;
  while (!take(token)) {
    if (isStale()) {
      takeOver();
      continue;
    }
    if (Date.now() > deadline) throw new SetUpFailed(`another set-up holds ${LOCK}; if none runs, delete that file`);
    if (!told) say('Another start is setting up this folder; waiting for it…');
    told = true;
    await delay(POLL_MS);
  }
}

function take(token) {
  try {
    fs.writeFileSync(LOCK, token, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  }
}

/** The holder is gone from this machine, or has not touched its lock for long (another container, an earlier boot). */
function isStale() {
  try {
    const pid = Number((read(LOCK) || '').split(' ')[0]);
    const ageMs = Date.now() - fs.statSync(LOCK).mtimeMs;
    return ageMs > STALE_MS || (ageMs > 3 * TOUCH_MS && pid > 0 && !isAlive(pid));
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return false;
  }
}

/** Removes a dead holder's lock. Renaming is atomic: of several who try, one moves it, and puts back what is not the dead one's. */
function takeOver() {
  const dead = read(LOCK);
  const aside = `${LOCK}.${process.pid}`;
  try {
    fs.renameSync(LOCK, aside);
    if (read(aside) !== dead) fs.linkSync(aside, LOCK);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  }
  fs.rmSync(aside, { force: true });
}

function read(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
