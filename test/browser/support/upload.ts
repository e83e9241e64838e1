/** What people do to publish, as few lines: choosing, dropping and pasting files, and a line that is as slow as wanted. */
import type { CDPSession, Page } from 'playwright-core';

export interface TestFile {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}

/** Chooses files by the button. The picker with handles cannot be driven by a test, so the page gets the other one. */
export async function chooseFiles(page: Page, files: string | TestFile[]): Promise<void> {
  await page.evaluate(() => Reflect.deleteProperty(window, 'showOpenFilePicker'));
  const chooser = page.waitForEvent('filechooser');
  await page.getByTestId('choose-files').click();
  await (await chooser).setFiles(files);
}

/** Drops or pastes text files onto the window. */
export async function giveFiles(page: Page, how: 'drop' | 'paste', names: readonly string[]): Promise<void> {
  await page.evaluate(
    ([event, fileNames]) => {
      const transfer = new DataTransfer();
      for (const name of fileNames) transfer.items.add(new File([`the file ${name}`], name, { type: 'text/plain' }));
      const init = { bubbles: true, cancelable: true };
      const target = document.body;
      if (event === 'paste') target.dispatchEvent(new ClipboardEvent('paste', { ...init, clipboardData: transfer }));
      else
        for (const type of ['dragenter', 'dragover', 'drop'])
          target.dispatchEvent(new DragEvent(type, { ...init, dataTransfer: transfer }));
    },
    [how, names] as const,
  );
}

/** The limit ends with its session, so each page keeps one. */
const sessions = new WeakMap<Page, CDPSession>();

/** Limits what the page may send, in bytes a second; undefined lifts the limit. */
export async function limitUpload(page: Page, bytesPerSec: number | undefined): Promise<void> {
  const session = sessions.get(page) ?? (await page.context().newCDPSession(page));
  sessions.set(page, session);
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: bytesPerSec ?? -1,
  });
}
