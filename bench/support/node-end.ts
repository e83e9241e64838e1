/** The Node end of a data channel as a child process; what it does is told by `bench/peers/rtc.ts`. */
import path from 'node:path';
import { startProgram } from '../../test/support/program.ts';

const PROGRAM = path.resolve(import.meta.dirname, '../peers/rtc.ts');
const START_TIMEOUT_MS = 60_000;

/** Answers a browser's offer. */
export interface NodeEnd extends AsyncDisposable {
  answer(offerSdp: string): Promise<string>;
  /** Seconds that the transfer took; only a receiving end knows. */
  done(timeoutMs: number): Promise<number>;
}

export async function startNodeEnd(...args: readonly string[]): Promise<NodeEnd> {
  const program = startProgram(process.execPath, [PROGRAM, ...args]);
  await program.line(/READY/, START_TIMEOUT_MS);
  return {
    async answer(offerSdp) {
      program.say(JSON.stringify(offerSdp));
      const [, sdp = ''] = await program.line(/ANSWER (.+)\n/);
      return JSON.parse(sdp) as string;
    },
    async done(timeoutMs) {
      const [, seconds] = await program.line(/DONE (\S+)/, timeoutMs);
      return Number(seconds);
    },
    [Symbol.asyncDispose]: async () => void (await program.stop()),
  };
}
