/** Children of set-up: tools whose output is kept for the case of failure, and the command itself, which takes over. */
import { spawn } from 'node:child_process';
import os from 'node:os';
import { SetUpFailed } from './say.mjs';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const KEPT_OUTPUT_CHARS = 20_000;
const SHOWN_LINES = 25;
/** A command that got the signal with us has this long to end by itself before we pass it on. */
const PASS_AFTER_MS = 500;

/**
 * Runs the command in our place: same input, output and process group, signals passed on, and its exit status ours.
 * Most signals come to the whole group, so the command has them already; passing one on at once could hit it while it
 * ends, and turn a clean stop into a death by signal.
 */
export async function runCommand(program, args, { env, cwd }) {
  const child = spawn(program, args, { env, cwd, stdio: 'inherit' });
  const { code, signal } = await passSignals(child, PASS_AFTER_MS);
  return code ?? 128 + (os.constants.signals[signal] || 0);
}

/** Runs a tool to its end. Its output is shown only when it fails. @throws SetUpFailed with `help` and the last lines. */
export async function runTool(program, args, { env, cwd, help }) {
  const child = spawn(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (text) => {
    output = (output + text).slice(-KEPT_OUTPUT_CHARS);
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  const { code, signal, stoppedBy } = await passSignals(child, 0);
  if (stoppedBy)
    throw new SetUpFailed(`stopped by ${stoppedBy} while setting up`, 128 + os.constants.signals[stoppedBy]);
  if (code === 0) return;
  const tail = output.trimEnd().split('\n').slice(-SHOWN_LINES).join('\n');
  throw new SetUpFailed(`${help}\n  (${[program, ...args].join(' ')} ended with ${code ?? signal})\n${tail}`);
}

/** Resolves when the child is gone; until then our signals are its signals, `delayMs` later and once for each burst. */
function passSignals(child, delayMs) {
  let stoppedBy;
  let waiting;
  const pass = (signal) => {
    stoppedBy = signal;
    waiting ??= setTimeout(() => {
      waiting = undefined;
      child.kill(signal);
    }, delayMs);
  };
  for (const name of SIGNALS) process.on(name, pass);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new SetUpFailed(`cannot start ${child.spawnfile}: ${error.message}`)));
    child.once('exit', () => clearTimeout(waiting));
    child.once('close', (code, signal) => resolve({ code, signal, stoppedBy }));
  }).finally(() => {
    for (const name of SIGNALS) process.off(name, pass);
  });
}
