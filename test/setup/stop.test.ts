import { expect, test } from 'vitest';
import { startServer } from '../support/server.ts';
import { testFolder } from '../support/temp-dir.ts';

const BOOTSTRAP = [process.execPath, 'scripts/run.mjs', 'serve'];

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s to the whole process group, which reaches the server twice, is one clean stop',
  async (signal) => {
    await using server = await startServer({ dataFolder: await testFolder('stop'), command: BOOTSTRAP });
    server.program.signal(signal);
    expect(await server.program.ended).toEqual({ code: 0, signal: null });
    expect(server.program.output).toContain('"event":"server.stopped"');
  },
);
