/**
 * Disks that are full or fail: a clear refusal, nothing acknowledged is lost, and the upload goes on when the disk is
 * well again. Full: a small tmpfs. Failing: strace makes system calls on one file return errors.
 */
import { execFile } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { describeWith, findProgram } from '../support/peers.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { testFolder } from '../support/temp-dir.ts';
import { startServer } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';

const run = promisify(execFile);
const UPLOAD_BYTES = 3_000_000;
const bytes = seededBytes('bad disk', UPLOAD_BYTES);

async function start(folder: string, launcher?: Parameters<typeof startServer>[1]): Promise<ServerProcess> {
  const server = await startServer({ folder }, launcher);
  onTestFinished(() => server.kill());
  return server;
}

async function create({ url }: ServerProcess): Promise<Response> {
  return fetch(`${url}/upload`, { method: 'POST', headers: { 'upload-length': String(UPLOAD_BYTES) } });
}

/** Sends [from, to) and resolves with the status. */
async function append({ url }: ServerProcess, upload: string, from: number, to: number): Promise<number> {
  const headers = { 'upload-offset': String(from) };
  const response = await fetch(`${url}${upload}`, { method: 'PATCH', headers, body: bytes.slice(from, to) });
  await response.arrayBuffer();
  return response.status;
}

async function offsetOf({ url }: ServerProcess, upload: string): Promise<number> {
  return Number((await fetch(`${url}${upload}`, { method: 'HEAD' })).headers.get('upload-offset'));
}

describeWith(['root'], 'on a full disk', () => {
  async function smallDisk(): Promise<string> {
    const folder = path.join(await testFolder('tmpfs'), 'small');
    await mkdir(folder);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]);
    onTestFinished(async () => void (await run('umount', [folder])));
    return folder;
  }

  /** Takes all the room there is, to the last byte. */
  async function fill(file: string): Promise<void> {
    await using handle = await open(file, 'w');
    for (const chunkBytes of [65_536, 4_096, 1]) {
      const chunk = Buffer.alloc(chunkBytes, 1);
      while (
        await handle.write(chunk).then(
          (written) => written.bytesWritten > 0,
          () => false,
        )
      );
    }
  }

  test('an append is refused with 507, its offset stays, and it goes on when there is room again', async () => {
    const folder = await smallDisk();
    const server = await start(folder);
    const upload = (await create(server)).headers.get('location') ?? '';
    expect(await append(server, upload, 0, 1_000_000)).toBe(204);

    const filler = path.join(folder, 'filler');
    await fill(filler);
    expect(await append(server, upload, 1_000_000, 2_000_000)).toBe(507);
    expect(await offsetOf(server, upload)).toBe(1_000_000);
    expect((await create(server)).status).toBe(507);
    expect(await append(server, upload, 1_000_000, 2_000_000)).toBe(507);

    await rm(filler);
    expect(await append(server, upload, 1_000_000, UPLOAD_BYTES)).toBe(204);
    expect(await offsetOf(server, upload)).toBe(UPLOAD_BYTES);
  });
});

describeWith(['root', 'strace'], 'on a failing disk', () => {
  /** Starts the server so that `calls` fail on one file; io_uring would hide file calls from strace. */
  function failing(calls: string, file: string): Parameters<typeof startServer>[1] {
    const injection = ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO`];
    return {
      execPath: findProgram('strace') ?? 'strace',
      execArgv: ['-f', '-qq', '-o', '/dev/null', '-P', file, ...injection, process.execPath],
      env: { ...process.env, UV_USE_IO_URING: '0' },
    };
  }

  test.each([
    { what: 'sync', calls: 'fdatasync' },
    { what: 'write', calls: 'pwrite64,pwritev' },
  ])(
    'an append whose $what fails is refused, nothing more is written until a restart, and nothing is lost',
    async ({ calls }) => {
      const folder = await testFolder('eio');
      const healthy = await start(folder);
      const upload = (await create(healthy)).headers.get('location') ?? '';
      expect(await append(healthy, upload, 0, 1_000_000)).toBe(204);
      await healthy.kill();

      const part = path.join(folder, 'store', 'incoming', path.basename(upload));
      const sick = await start(folder, failing(calls, part));
      expect(await append(sick, upload, 1_000_000, 2_000_000)).toBe(500);
      expect(await append(sick, upload, 1_000_000, 2_000_000)).toBe(503);
      expect(await offsetOf(sick, upload)).toBe(1_000_000);
      await sick.kill();

      const well = await start(folder);
      expect(well.report).toMatchObject({ lostBytes: 0, open: 1 });
      expect(await append(well, upload, 1_000_000, UPLOAD_BYTES)).toBe(204);
      expect(await offsetOf(well, upload)).toBe(UPLOAD_BYTES);
    },
  );
});
