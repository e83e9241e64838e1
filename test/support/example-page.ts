/** The example page in a browser, wherever it was built: served by Vite, told what to play, watched. */
import type { Page } from 'playwright-core';
import { preview } from 'vite';

/** A page that is being served; its address ends in `/`. */
export interface ServedPage extends AsyncDisposable {
  readonly origin: string;
}

/** Serves what `build` made of the page with this vite.config.ts; `outDir` where that was not the config's own. */
export async function servePage(configFile: string, outDir?: string): Promise<ServedPage> {
  const site = await preview({
    configFile,
    logLevel: 'error',
    ...(outDir !== undefined && { build: { outDir } }),
    preview: { host: '127.0.0.1', port: 0 },
  });
  return { origin: site.resolvedUrls?.local[0] ?? '', [Symbol.asyncDispose]: () => site.close() };
}

/** Resolves when the page's video shows a frame at or after `seconds`. */
export async function playsFrom(page: Page, seconds: number): Promise<void> {
  await page.waitForFunction('document.querySelector("video").readyState >= 1');
  const frame = `new Promise((resolve) => {
    const video = document.querySelector('video');
    const look = (_, { mediaTime }) =>
      mediaTime >= ${seconds} ? resolve() : video.requestVideoFrameCallback(look); // frames from before the seek
    video.requestVideoFrameCallback(look);
    video.currentTime = ${seconds};
    video.play();
  })`;
  await page.evaluate(frame);
}
