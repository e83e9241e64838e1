import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { StorageFailed } from '../base/errors.ts';
import { testFolder } from '../../test/support/temp-dir.ts';
import { jsonLog, terminalLog } from './log.ts';

test('a terminal shows time, level, event and fields, and nothing below its level', () => {
  const lines: string[] = [];
  const log = terminalLog('info', (line) => lines.push(line));
  log.debug('piece.verified', { piece: 1 });
  log.warn('store.low', { freeBytes: 5, folder: 'x' });
  expect(lines).toEqual([expect.stringMatching(/^\d\d:\d\d:\d\d warn {2}store\.low {2}freeBytes=5 {2}folder=x\n$/)]);
});

test('JSON lines carry the event, the level and the error with its code', async () => {
  const file = path.join(await testFolder('log'), 'log');
  const descriptor = openSync(file, 'w');
  const log = jsonLog('info', descriptor);
  log.error('task.failed', { task: 'sweep', error: new StorageFailed('disk is gone', { path: 'x' }) });
  log.debug('hidden');
  await log.close();
  const [line, ...more] = readFileSync(file, 'utf8').trim().split('\n');
  expect(more).toEqual([]);
  expect(JSON.parse(line ?? '')).toMatchObject({
    level: 'error',
    event: 'task.failed',
    task: 'sweep',
    error: { name: 'StorageFailed', code: 'storage_failed', message: 'disk is gone' },
  });
});

test('a field that names a secret is never written', async () => {
  const file = path.join(await testFolder('log'), 'log');
  const descriptor = openSync(file, 'w');
  const lines: string[] = [];
  const json = jsonLog('info', descriptor);
  for (const log of [json, terminalLog('info', (line) => lines.push(line))]) {
    log.info('http.request', { authorization: 'canary-1', session: { token: 'canary-2' }, token: 'canary-3' });
  }
  await json.close();
  expect(readFileSync(file, 'utf8')).not.toContain('canary');
  expect(lines.join('')).not.toContain('canary');
});

test('every line is written, in order, before the log is closed; what comes later is dropped', async () => {
  const file = path.join(await testFolder('log'), 'log');
  const log = jsonLog('info', openSync(file, 'w'));
  for (let at = 0; at < 2_000; at++) log.info('line', { at });
  await log.close();
  log.info('late');
  await log.close();
  const written = readFileSync(file, 'utf8').trim().split('\n');
  expect(written.map((line) => (JSON.parse(line) as { at: number }).at)).toEqual([...Array(2_000).keys()]);
});

test('a log on a full disk loses its lines and nothing else', async () => {
  const log = jsonLog('info', openSync('/dev/full', 'w'));
  log.info('lost');
  await new Promise(setImmediate);
  log.info('lost, too');
  await log.close();
});

test('a log whose reader has gone can be closed', async () => {
  const { reader, writer } = await pipe();
  const log = jsonLog('info', writer);
  closeSync(reader);
  log.info('unread');
  await setTimeout(100);
  // With time at a standstill, only what the log knows can end the wait.
  vi.useFakeTimers();
  try {
    await log.close();
  } finally {
    vi.useRealTimers();
  }
});

test('what waits for a slow reader has a bound', async () => {
  const { reader, writer } = await pipe();
  const log = jsonLog('info', writer);
  const text = 'x'.repeat(1_000);
  for (let at = 0; at < 20_000; at++) log.info('line', { at, text });
  let bytes = 0;
  const closed = log.close();
  for await (const chunk of new Socket({ fd: reader, readable: true, writable: false }))
    bytes += (chunk as Buffer).length;
  await closed;
  expect(bytes).toBeGreaterThan(4_000_000);
  expect(bytes).toBeLessThan(9_000_000);
});

test('a reader that never reads does not hold up the end', async () => {
  const { reader, writer } = await pipe();
  const log = jsonLog('info', writer);
  for (let at = 0; at < 200; at++) log.info('line', { at, text: 'x'.repeat(1_000) });
  await log.close();
  closeSync(reader);
});

async function pipe(): Promise<{ reader: number; writer: number }> {
  const file = path.join(await testFolder('log'), 'pipe');
  execFileSync('/usr/bin/mkfifo', [file]);
  // As a supervisor's pipe may be: a write that finds it full fails at once instead of holding a thread.
  const reader = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(file, constants.O_WRONLY | constants.O_NONBLOCK) };
}
