/**
 * A tiny website for tests of browser code: TypeScript of ours bundled in memory, served on loopback (a secure context),
 * and a way to run a test's function in a page or in a dedicated worker with those modules at hand.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { build, type Rolldown } from 'vite';

const root = path.resolve(import.meta.dirname, '../../..');

const TYPES: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.html': 'text/html; charset=utf-8' };

/** Answers what it knows; false leaves the request to the site. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface Site extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly origin: string;
}

export interface SiteOptions {
  /** URL path without slash and `.js` → TypeScript file, relative to the repository: `{ modules: 'test/…/x.ts' }`. */
  readonly entries: Readonly<Record<string, string>>;
  /** Classic scripts (service workers), each bundled alone. */
  readonly scripts?: Readonly<Record<string, string>>;
  readonly define?: Readonly<Record<string, string>>;
  readonly handler?: Handler;
  /** Takes WebSockets. */
  readonly upgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** The one page of the site. */
export const SITE_PAGE = '<!doctype html><meta charset="utf-8"><title>test</title><link rel="icon" href="data:,">';

const WORKER = `onmessage = async ({ data: { source, argument } }) => {
  try {
    const modules = await import('/modules.js');
    const text = new Blob(['export const test = ' + source], { type: 'text/javascript' });
    const { test } = await import(URL.createObjectURL(text));
    postMessage({ answer: await test(modules, argument) });
  } catch (error) { postMessage({ error: String(error?.stack ?? error) }); }
};`;

export async function openSite(options: SiteOptions): Promise<Site> {
  const files = new Map<string, string | Uint8Array>([
    ['/', SITE_PAGE],
    ['/runner.js', WORKER],
  ]);
  if (Object.keys(options.entries).length > 0) await bundle(files, options.entries, 'es', options.define);
  for (const [name, file] of Object.entries(options.scripts ?? {}))
    await bundle(files, { [name]: file }, 'iife', options.define);
  const server = createServer((request, response) => {
    if (options.handler?.(request, response) === true) return;
    const { pathname } = new URL(request.url ?? '/', 'http://site');
    const body = files.get(pathname);
    if (body === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': TYPES[path.extname(pathname)] ?? 'text/html; charset=utf-8' }).end(body);
  });
  if (options.upgrade !== undefined) server.on('upgrade', options.upgrade);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bundle(
  files: Map<string, string | Uint8Array>,
  entries: Readonly<Record<string, string>>,
  format: 'es' | 'iife',
  define: Readonly<Record<string, string>> = {},
): Promise<void> {
  const input = Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, path.join(root, file)]));
  const result = await build({
    root,
    configFile: false,
    logLevel: 'error',
    publicDir: false,
    define: { ...define },
    worker: { format: 'es' },
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      rolldownOptions: {
        input,
        preserveEntrySignatures: 'strict',
        output: { format, entryFileNames: '[name].js' },
      },
    },
  });
  for (const output of [result].flat() as Rolldown.RolldownOutput[])
    for (const file of output.output) files.set(`/${file.fileName}`, file.type === 'chunk' ? file.code : file.source);
}

/**
 * Runs `test` in a dedicated worker of the page. Its first argument is the module namespace of the site's entry `modules`;
 * it travels as source text, so it can use nothing else from its surroundings than `argument`.
 */
export function inWorker<Argument, Answer>(
  page: Page,
  test: (modules: never, argument: Argument) => Promise<Answer>,
  argument: Argument,
): Promise<Answer> {
  return page.evaluate(askWorker, { source: test.toString(), argument }) as Promise<Answer>;
}

/** Like `inWorker`, in the page itself; `argument` travels as JSON. */
export function inPage<Argument, Answer>(
  page: Page,
  test: (modules: never, argument: Argument) => Promise<Answer>,
  argument: Argument,
): Promise<Answer> {
  // As text, because the test runner rewrites `import()` in functions.
  const call = `(${test.toString()})(await import('/modules.js'), ${JSON.stringify(argument) ?? 'undefined'})`;
  return page.evaluate<Answer>(`(async () => ${call})()`);
}

function askWorker(message: { source: string; argument: unknown }): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const worker = new Worker('/runner.js', { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<{ answer?: unknown; error?: string }>) => {
      worker.terminate();
      if (data.error === undefined) resolve(data.answer);
      else reject(new Error(data.error));
    });
    worker.postMessage(message);
  });
}
