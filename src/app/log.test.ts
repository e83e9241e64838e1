import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
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
  log.flush();
  closeSync(descriptor);
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
  json.flush();
  closeSync(descriptor);
  expect(readFileSync(file, 'utf8')).not.toContain('canary');
  expect(lines.join('')).not.toContain('canary');
});
