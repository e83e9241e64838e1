/** Uploads by form: curl, ShareX, a plain HTML page. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { MediumInfo } from '../../src/base/api.ts';
import { seededBytes, writeSeededFile } from '../support/random-bytes.ts';
import { requirePeer } from '../support/peers.ts';
import { testFolder } from '../support/temp-dir.ts';
import { Person } from './http-people.ts';
import { openServer, rawExchange, type HttpWorld } from './http-world.ts';

const run = promisify(execFile);
const SIZE = 3_000_001;

function form(content: Uint8Array<ArrayBuffer>, name = 'a.bin', fields: Record<string, string> = {}): FormData {
  const data = new FormData();
  for (const [key, value] of Object.entries(fields)) data.append(key, value);
  data.append('file', new Blob([content]), name);
  return data;
}

const post = async (world: HttpWorld, body: FormData | string, headers: Record<string, string> = {}) =>
  await fetch(world.url('/api/v1/media'), { method: 'POST', body, headers });

test('curl -F publishes a file and gets its address', async (context) => {
  const curl = requirePeer(context, 'curl');
  const server = await openServer();
  const file = path.join(await testFolder('curl'), 'Ein Film.mp4');
  await writeSeededFile(file, 'curl', SIZE);
  const { stdout } = await run(curl, ['-sS', '-F', `file=@${file}`, server.url('/api/v1/media')]);
  const info = JSON.parse(stdout) as MediumInfo;
  expect(info).toMatchObject({ name: 'Ein Film.mp4', sizeBytes: SIZE, state: 'stored' });
  const stored = await fetch(info.url);
  expect(Buffer.compare(new Uint8Array(await stored.arrayBuffer()), seededBytes('curl', SIZE))).toBe(0);
});

test('a new file answers 201 with its address, the same bytes again 200', async () => {
  const server = await openServer();
  const first = await post(server, form(seededBytes('form', 5000)));
  const info = (await first.json()) as MediumInfo;
  expect([first.status, first.headers.get('location')]).toEqual([201, info.url]);
  expect((await post(server, form(seededBytes('form', 5000)))).status).toBe(200);
});

test('names keep their letters', async () => {
  const server = await openServer();
  const response = await post(server, form(Buffer.from('x'), 'Größe 日本.txt'));
  expect(((await response.json()) as MediumInfo).name).toBe('Größe 日本.txt');
});

test('a declared hash is checked', async () => {
  const server = await openServer();
  const right = createHash('sha256').update('abc').digest('hex');
  expect((await post(server, form(Buffer.from('abc'), 'a', { sha256: right }))).status).toBe(201);
  const wrong = await post(server, form(Buffer.from('abd'), 'a', { sha256: 'f'.repeat(64) }));
  expect([wrong.status, await wrong.json()]).toEqual([409, expect.objectContaining({ code: 'hash_mismatch' })]);
  expect(wrong.headers.get('access-control-allow-origin')).toBe('*');
});

test('a form without a file, with two, or broken is refused with 400 and leaves nothing behind', async () => {
  const server = await openServer();
  const empty = new FormData();
  empty.append('note', 'hello');
  expect((await post(server, empty)).status).toBe(400);
  const two = form(Buffer.from('one'));
  two.append('file', new Blob(['two']), 'b');
  expect((await post(server, two)).status).toBe(400);
  const open = '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nthe file never ends';
  expect((await post(server, open, { 'content-type': 'multipart/form-data; boundary=b' })).status).toBe(400);
  expect((await post(server, 'x', { 'content-type': 'multipart/form-data' })).status).toBe(415);
  expect((await post(server, 'x', { 'content-type': 'text/plain' })).status).toBe(415);
  expect(await readdir(path.join(server.root, 'incoming'))).toEqual([]);
  const list = (await (await fetch(server.url('/api/v1/media'))).json()) as { readonly media: readonly unknown[] };
  expect(list.media).toEqual([]);
});

test('who may not upload is refused before the file is read', async () => {
  const server = await openServer({ uploads: 'members' });
  expect((await post(server, form(Buffer.from('abc')))).status).toBe(401);
  const cookie = await new Person().signIn(server);
  expect((await post(server, form(Buffer.from('abc')), { cookie })).status).toBe(403);
  const forged = await post(server, form(Buffer.from('abc')), { cookie, origin: 'https://evil.example' });
  expect(forged.status).toBe(401);
});

test('a file above the limit or the quota is refused with 413 or 507', async () => {
  const server = await openServer({ media: { maxUploadBytes: 1000 } });
  expect((await post(server, form(seededBytes('big', 200_000)))).status).toBe(413);
  const full = await openServer({ media: { totalQuotaBytes: 1000 } });
  expect((await post(full, form(seededBytes('big', 200_000)))).status).toBe(507);
  expect(await readdir(path.join(full.root, 'incoming'))).toEqual([]);
});

test('a client that goes away in the middle of its file leaves nothing behind', async () => {
  const server = await openServer();
  const head = 'POST /api/v1/media HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n';
  const body = '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nhalf a file';
  const aborted = await rawExchange(
    server.port,
    `${head}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
  expect(aborted).toMatch(/^HTTP\/1\.1 400 /);
  expect(server.media.list({ limit: 1 }).media).toEqual([]);
});

test('the files of a form never touch names on disk', async () => {
  const server = await openServer();
  const response = await post(server, form(Buffer.from('x'), '../../../etc/passwd'));
  expect(response.status).toBe(201);
  const names = await readdir(server.root, { recursive: true });
  expect(names.filter((name) => /passwd|etc/.test(name))).toEqual([]);
});
