/**
 * kill −9: whatever moment it comes at, nothing acknowledged is lost and no blob has a wrong hash. Each guard is taken
 * away once, and then the same tests must notice. SEEDBED_CRASH_CYCLES sets the number of random kills.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { seededRandom } from '../support/random-bytes.ts';
import { testFolder } from '../support/temp-dir.ts';
import type { DoorOptions } from './door.ts';
import { KILL_POINTS } from './faults.ts';
import type { Broken, KillPoint } from './faults.ts';
import { Ledger, untilSomeMoment } from './ledger.ts';
import { startServer } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';
import { wronglyNamedBlobs } from './stored-files.ts';

const CYCLES = Number(process.env['SEEDBED_CRASH_CYCLES'] ?? 30);
const SENDERS = 3;
const UPLOAD_BYTES = 300_000;

async function start(options: DoorOptions): Promise<ServerProcess> {
  const server = await startServer(options);
  onTestFinished(() => server.kill());
  return server;
}

/** One upload to a server that dies at `at`, then to one that lives; then everything promised is asked for. */
async function dieOnceAt(at: KillPoint, broken?: Broken): Promise<Ledger> {
  const folder = await testFolder('kill');
  const ledger = new Ledger(seededRandom(1));
  const dying = await start({ folder, broken, kill: { at, sizeBytes: UPLOAD_BYTES } });
  expect(await ledger.sendOne(dying.url, UPLOAD_BYTES)).toBe(false);
  await dying.gone;
  const living = await start({ folder, broken });
  ledger.note(living.report);
  expect(await ledger.sendOne(living.url, UPLOAD_BYTES)).toBe(true);
  await ledger.checkWhenSettled(living.url);
  expect(await wronglyNamedBlobs(folder)).toEqual([]);
  return ledger;
}

describe('a server killed at an exact point', () => {
  test.each(KILL_POINTS)('after "%s" goes on as if nothing had happened', async (at) => {
    expect((await dieOnceAt(at)).broken).toEqual([]);
  });

  test.each<[broken: Broken, at: KillPoint]>([
    ['one-phase finish', 'blob named'],
    ['no recovery of finishes', 'last offset recorded'],
    ['no recovery of finishes', 'finish decided'],
  ])('with the guard broken (%s) loses an upload after "%s", and the test sees it', async (broken, at) => {
    expect((await dieOnceAt(at, broken)).broken).not.toEqual([]);
  });
});

test(
  `of ${CYCLES} kills at random moments none loses an acknowledged byte`,
  { timeout: 60_000 + CYCLES * 3_000 },
  async () => {
    const folder = await testFolder('kills');
    const random = seededRandom(CYCLES);
    const ledger = new Ledger(random);
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const server = await start({ folder });
      ledger.note(server.report);
      const stop = new AbortController();
      const senders = Array.from({ length: SENDERS }, () => ledger.send(server.url, stop.signal));
      await untilSomeMoment(ledger, random);
      await server.kill();
      stop.abort();
      await Promise.all(senders);
    }
    const last = await start({ folder });
    ledger.note(last.report);
    await ledger.checkWhenSettled(last.url);
    expect(ledger.broken).toEqual([]);
    expect(await wronglyNamedBlobs(folder)).toEqual([]);
    expect(ledger.finished).toBeGreaterThan(0);
  },
);
