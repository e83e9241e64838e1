/** The server itself as a peer of browsers: WebRTC from Node, signalled by its own tracker. Figures: bench/node-to-browser.ts. */
import { expect, test } from 'vitest';
import { openBrowser } from '../support/chromium.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { openNodeSwarm } from './support/node-swarm.ts';

describeWith(['chromium'], 'the server as a peer', () => {
  test('every fresh tab gets the metadata from it over WebRTC, also where addresses are hidden behind mDNS names', async () => {
    await using swarm = await openNodeSwarm(seededBytes('node to browser', 300_000));
    for (const mdns of [false, true]) {
      await using browser = await openBrowser({ executablePath: findProgram('chromium') ?? 'chromium', mdns });
      for (let visit = 0; visit < 4; visit++) expect(await swarm.firstMetadataMs(browser)).toBeGreaterThan(0);
    }
  }, 120_000);
});
