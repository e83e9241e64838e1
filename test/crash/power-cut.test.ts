/**
 * Power cuts: what the kernel had not flushed is gone, and still nothing acknowledged is. Without the syncs the same test
 * loses files. SEEDBED_POWER_CUTS sets the number of cuts. Needs root and loop devices.
 */
import { expect, onTestFinished, test } from 'vitest';
import { describeWith } from '../support/peers.ts';
import { seededRandom } from '../support/random-bytes.ts';
import { testFolder } from '../support/temp-dir.ts';
import type { Broken } from './faults.ts';
import { Ledger, untilSomeMoment } from './ledger.ts';
import { LoopDisk } from './loop-disk.ts';
import { startServer } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';
import { wronglyNamedBlobs } from './stored-files.ts';

const CUTS = Number(process.env['SEEDBED_POWER_CUTS'] ?? 10);
const CONTROL_CUTS = 5;
const SENDERS = 3;

interface Outcome {
  readonly ledger: Ledger;
  readonly wrongBlobs: readonly string[];
}

/** Sends under up to `cuts` power cuts, fewer when a promise breaks before; then asks for everything promised. */
async function sendUnderCuts(cuts: number, broken?: Broken): Promise<Outcome> {
  const lab = await testFolder('power');
  const disk = await LoopDisk.make(lab);
  const servers: ServerProcess[] = [];
  onTestFinished(async () => {
    for (const server of servers) await server.kill();
    await disk[Symbol.asyncDispose]();
  });
  const random = seededRandom(cuts);
  const ledger = new Ledger(random);
  const start = async (): Promise<ServerProcess> => {
    const server = await startServer({ folder: disk.folder, broken });
    servers.push(server);
    ledger.note(server.report);
    return server;
  };
  for (let cut = 0; cut < cuts && ledger.broken.length === 0; cut++) {
    const server = await start();
    const stop = new AbortController();
    const senders = Array.from({ length: SENDERS }, () => ledger.send(server.url, stop.signal));
    await untilSomeMoment(ledger, random);
    await server.kill();
    stop.abort();
    await Promise.all(senders);
    await disk.cutPower();
  }
  const last = await start();
  await ledger.checkWhenSettled(last.url);
  return { ledger, wrongBlobs: await wronglyNamedBlobs(disk.folder) };
}

describeWith(['root', 'loop devices'], 'a server whose power is cut', () => {
  test(`${CUTS} times keeps every acknowledged byte`, { timeout: 60_000 + CUTS * 5_000 }, async () => {
    const { ledger, wrongBlobs } = await sendUnderCuts(CUTS);
    expect(ledger.broken).toEqual([]);
    expect(wrongBlobs).toEqual([]);
    expect(ledger.finished).toBeGreaterThan(0);
  });

  test(
    'loses acknowledged files once the syncs are taken away, and the test sees it',
    { timeout: 60_000 },
    async () => {
      const { ledger, wrongBlobs } = await sendUnderCuts(CONTROL_CUTS, 'no sync').catch(brokenStart);
      expect([...ledger.broken, ...wrongBlobs]).not.toEqual([]);
    },
  );
});

/** Without syncs even the database may not open again, which is a loss as well. */
function brokenStart(error: unknown): Outcome {
  const ledger = new Ledger(seededRandom(0));
  ledger.broken.push(`the server did not come back: ${String(error)}`);
  return { ledger, wrongBlobs: [] };
}
