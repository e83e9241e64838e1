/**
 * A second host: a network namespace joined to ours by one cable, because Transmission refuses peers on 127/8 and because
 * loopback hides mistakes about addresses. Gone, with the cable, when disposed of.
 */
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { promisify } from 'node:util';
import { findProgram } from '../support/peers.ts';
import { type Program, type ProgramOptions, startProgram } from '../support/program.ts';

const run = promisify(execFile);

export interface OtherHost extends AsyncDisposable {
  /** Our address on the cable. */
  readonly here: string;
  /** Its address. */
  readonly there: string;
  /** Starts a program over there. */
  start(program: string, args: readonly string[], options?: ProgramOptions): Program;
}

/** Needs root and network namespaces; ask for both with `requireAll` or `describeWith`. */
export async function otherHost(): Promise<OtherHost> {
  const ip = findProgram('ip') ?? 'ip';
  const tag = randomInt(1_000, 10_000);
  const space = `seedbed-${tag}`;
  const cable = `sb${tag}`;
  const net = `10.${randomInt(64, 250)}.${randomInt(0, 250)}`;
  const [here, there] = [`${net}.1`, `${net}.2`];
  const dispose = async (): Promise<void> => {
    await run(ip, ['netns', 'delete', space]);
  };
  await run(ip, ['netns', 'add', space]);
  try {
    for (const command of [
      `link add ${cable} type veth peer name cable netns ${space}`,
      `addr add ${here}/24 dev ${cable}`,
      `link set ${cable} up`,
      `-n ${space} link set lo up`,
      `-n ${space} addr add ${there}/24 dev cable`,
      `-n ${space} link set cable up`,
    ])
      await run(ip, command.split(' '));
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    here,
    there,
    start: (program, args, options) => startProgram(ip, ['netns', 'exec', space, program, ...args], options),
    [Symbol.asyncDispose]: dispose,
  };
}
