/** What is told about media: lists and news. */
import { describe, expect, test } from 'vitest';
import {
  alice,
  bob,
  bodyOf,
  infoHashOf,
  never,
  openMedia,
  publish,
  sha256Of,
  wishFor,
} from '../../test/contracts/media-fixture.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { swarmKeyOf } from '../base/ids.ts';

describe('lists', () => {
  test('are newest first and page by cursor without gaps or repeats', async () => {
    const { media, clock } = await openMedia();
    const names: string[] = [];
    for (let index = 0; index < 25; index++) {
      await publish(media, seededBytes(`list ${index}`, 10 + index), index % 5 === 0 ? bob : alice, `n${index}`);
      names.unshift(`n${index}`);
      clock.advance(index % 3); // some share a millisecond
    }
    const collect = (query: { owner?: typeof alice.pubkey }): string[] => {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = media.list({ ...query, cursor, limit: 4 });
        seen.push(...page.media.map((medium) => medium.name));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      return seen;
    };
    expect(collect({}).toSorted()).toEqual(names.toSorted());
    expect(collect({})[0]).toBe('n24');
    expect(collect({ owner: bob.pubkey })).toEqual(['n20', 'n15', 'n10', 'n5', 'n0']);
  });

  test.each([0, 201, 1.5])('have pages of 1 to 200, not %d', async (limit) => {
    const { media } = await openMedia();
    expect(() => media.list({ limit })).toThrow(InvalidInput);
    expect(() => media.list({ limit: 1, cursor: 'x; DROP TABLE blob' })).toThrow(InvalidInput);
  });
});

describe('news', () => {
  test('tell of pending swarms and stored media, and the tracker may admit both', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('news', 1000);
    const [sha256, infoHash] = [sha256Of(bytes), infoHashOf(bytes)];
    const news: unknown[] = [];
    media.events.on('pending', (event) => news.push(event));
    media.events.on('stored', (medium) => news.push(medium.sha256));
    expect(media.admits(swarmKeyOf(infoHash))).toBe(false);
    const { id } = await media.createUpload(alice, { ...wishFor(bytes), sha256, infoHash });
    expect(media.findPending(sha256)).toMatchObject({ id, state: 'open' });
    expect(media.admits(swarmKeyOf(infoHash))).toBe(true);
    await media.append(alice, id, 0, bodyOf(bytes), never);
    expect(news).toEqual([{ sha256, infoHash }, sha256]);
    expect(media.findPending(sha256)).toBeUndefined();
    expect(media.admits(swarmKeyOf(infoHash))).toBe(true);
  });
});
