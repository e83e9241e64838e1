/** After `stop()` nothing of an engine is left in its process: real sockets, files, timers, threads and buffers. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { expect, onTestFinished, test } from 'vitest';
import { MIB } from '../../src/base/units.ts';
import { SwarmNode } from '../../src/kit/node/swarm-node.ts';
import {
  type Moment,
  MOMENTS,
  STOP_PIECE_BYTES,
  STOP_TORRENT_BYTES,
  type StopOrder,
  type StopReport,
} from '../support/stop-order.ts';
import { startProgram } from '../support/program.ts';
import { makeTorrent, MemoryStorage } from '../support/swarm.ts';
import { testFolder } from '../support/temp-dir.ts';

const CHILD = path.resolve(import.meta.dirname, '../support/stop-child.ts');
/** Listens and then never accepts: the kernel's queue fills, and further dials wait. */
const DEAF_LISTENER = `
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('node:fs').writeSync(1, 'port ' + server.address().port + '\\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

/** Accepts everybody and never says a word. */
async function silentServer(): Promise<number> {
  const server = net.createServer((socket) => socket.on('error', () => undefined).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function deafListener(): Promise<number> {
  const program = startProgram(process.execPath, ['-e', DEAF_LISTENER]);
  onTestFinished(async () => {
    program.signal('SIGKILL');
    await program.ended;
  });
  const [, port] = await program.line(/port (\d+)/);
  for (let filler = 0; filler < 4; filler++) {
    const socket = net.connect(Number(port), '127.0.0.1').on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
  }
  return Number(port);
}

/** Whom the child has to do with; resolves with the partner's port. */
async function partnerFor(moment: Moment): Promise<{ readonly port: number; readonly meet: (port: number) => void }> {
  if (moment === 'dialling') return { port: await deafListener(), meet: () => undefined };
  if (moment === 'greeting') return { port: await silentServer(), meet: () => undefined };
  const { hashes, info, bytes } = await makeTorrent(STOP_TORRENT_BYTES, STOP_PIECE_BYTES);
  const node = await SwarmNode.open({ host: '127.0.0.1' });
  onTestFinished(() => node.stop());
  const isTaker = moment === 'uploading';
  const torrent = node.engine.add({
    ...hashes,
    info,
    storage: new MemoryStorage(isTaker ? new Uint8Array(bytes.length) : bytes),
    have: isTaker ? 'none' : 'all',
    uploadBytesPerSecond: 8 * MIB,
    downloadBytesPerSecond: 8 * MIB,
  });
  const meet = (port: number): void => {
    if (isTaker) torrent.addPeers([{ host: '127.0.0.1', port }], 'judged');
  };
  return { port: node.address.port, meet };
}

async function stopIn(moment: Moment, leak?: NonNullable<StopOrder['leak']>): Promise<StopReport> {
  const folder = await testFolder('stop');
  const { bytes } = await makeTorrent(STOP_TORRENT_BYTES, STOP_PIECE_BYTES);
  if (['uploading', 'checking', 'rechecking', 'idle'].includes(moment))
    await writeFile(path.join(folder, 'film'), bytes);
  const { port, meet } = await partnerFor(moment);
  const order: StopOrder = { moment, folder, port, ...(leak && { leak }) };
  const child = startProgram(process.execPath, [CHILD, JSON.stringify(order)]);
  onTestFinished(async () => void (await child.stop()));
  const [, childPort] = await child.line(/listening (\d+)/, 30_000);
  meet(Number(childPort));
  const [, report = ''] = await child.line(/report (.*)\n/, 40_000);
  if (leak === undefined) await child.success(10_000);
  return JSON.parse(report) as StopReport;
}

test.each(MOMENTS)('stopped while %s, nothing is left, and the process ends by itself', async (moment) => {
  const report = await stopIn(moment);
  expect(report).toMatchObject({ resources: [], files: [], timers: 0, bufferBytes: 0 });
  if (moment === 'dialling') expect(report.during.dialling).toBeGreaterThan(0);
  if (['greeting', 'downloading', 'reading', 'uploading'].includes(moment))
    expect(report.during.connections).toBeGreaterThan(0);
  if (['downloading', 'reading', 'checking', 'rechecking'].includes(moment))
    expect(report.during.bufferBytes).toBeGreaterThan(0);
});

test.each([
  { leak: 'timer' as const, found: { timers: 1, resources: ['Timeout'] } },
  { leak: 'file' as const, found: { files: [expect.stringContaining('node')] } },
  { leak: 'socket' as const, found: { files: ['socket:[]'] } },
])('a $leak that is left behind is seen by this test', async ({ leak, found }) => {
  expect(await stopIn('idle', leak)).toMatchObject(found);
});
