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

/** Addresses of one cable: each end's, and how long their common prefix is. */
interface Plan {
  readonly here: string;
  readonly there: string;
  readonly prefixBits: number;
}

/** `public`: addresses that look like the internet's, each end in a household of its own; no packet leaves the cable. */
const PLANS = {
  private: () => plan4(`10.${randomInt(64, 250)}.${randomInt(0, 250)}`),
  public: () => plan4(`20.${randomInt(64, 250)}.${randomInt(0, 250)}`),
  public6: (): Plan => {
    const net = `2a00:${randomInt(16, 250).toString(16)}:${randomInt(16, 250).toString(16)}`;
    return { here: `${net}:1::1`, there: `${net}:2::2`, prefixBits: 48 };
  },
} as const;

function plan4(net: string): Plan {
  return { here: `${net}.1`, there: `${net}.2`, prefixBits: 24 };
}

/** Needs root and network namespaces; ask for both with `requireAll` or `describeWith`. */
export async function otherHost(addresses: keyof typeof PLANS = 'private'): Promise<OtherHost> {
  const ip = findProgram('ip') ?? 'ip';
  const tag = randomInt(1_000, 10_000);
  const space = `seedbed-${tag}`;
  const cable = `sb${tag}`;
  const { here, there, prefixBits } = PLANS[addresses]();
  const atOnce = here.includes(':') ? ' nodad' : '';
  const dispose = async (): Promise<void> => {
    await run(ip, ['netns', 'delete', space]);
  };
  await run(ip, ['netns', 'add', space]);
  try {
    for (const command of [
      `link add ${cable} type veth peer name cable netns ${space}`,
      `addr add ${here}/${prefixBits} dev ${cable}${atOnce}`,
      `link set ${cable} up`,
      `-n ${space} link set lo up`,
      `-n ${space} addr add ${there}/${prefixBits} dev cable${atOnce}`,
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
