import { finalizeEvent, generateSecretKey as otherSecretKey, verifyEvent } from 'nostr-tools/pure';
import { expect, test } from 'vitest';
import { InvalidInput } from '../base/errors.ts';
import { generateSecretKey, publicKeyOf, signEvent, singleTag, verifyEventText } from './event.ts';

const template = { kind: 1, created_at: 1_800_000_000, tags: [['t', 'seed']], content: 'naïve "quoted" \n text 🌱' };

test('an event signed by another implementation is accepted', () => {
  const event = finalizeEvent(structuredClone(template), otherSecretKey());
  expect(verifyEventText(JSON.stringify(event))).toMatchObject({ id: event.id, content: template.content });
});

test('an event we sign is accepted by another implementation', () => {
  const secretKey = generateSecretKey();
  const event = signEvent(secretKey, template);
  expect(event.pubkey).toBe(publicKeyOf(secretKey));
  expect(verifyEvent(JSON.parse(JSON.stringify(event)))).toBe(true);
});

test('a verified event cannot be changed afterwards', () => {
  const event = verifyEventText(JSON.stringify(signEvent(generateSecretKey(), template)));
  expect(() => Object.assign(event, { content: 'forged' })).toThrow(TypeError);
  expect(() => Object.assign(event.tags[0] ?? [], { 1: 'forged' })).toThrow(TypeError);
});

const honest = signEvent(generateSecretKey(), template);
test.each([
  ['changed content', { content: 'forged' }],
  ['a changed tag', { tags: [['t', 'other']] }],
  ['a foreign pubkey', { pubkey: publicKeyOf(generateSecretKey()) }],
  ['a pubkey that is no point of the curve', { pubkey: 'f'.repeat(64) }],
  ['an upper-case id', { id: honest.id.toUpperCase() }],
  ['a zero signature', { sig: '0'.repeat(128) }],
  ['a kind as text', { kind: '1' }],
  ['a fractional time', { created_at: 1.5 }],
  ['tags that are no list', { tags: 'x' }],
  ['an empty tag', { tags: [[]] }],
  ['a number in a tag', { tags: [['t', 1]] }],
  ['too many tags', { tags: Array.from({ length: 2_001 }, () => ['t', 'x']) }],
  ['no content', { content: undefined }],
])('an event with %s is refused', (_name, change) => {
  expect(() => verifyEventText(JSON.stringify({ ...honest, ...change }))).toThrow(InvalidInput);
});

test.each(['null', '1', '"x"', '[]', '{', '', `"${'x'.repeat(70_000)}"`])(
  'the text %.20s is refused with a typed error',
  (text) => {
    expect(() => verifyEventText(text)).toThrow(InvalidInput);
  },
);

test('exactly one tag means exactly one', () => {
  expect(() => singleTag({ ...template, tags: [] }, 't')).toThrow(InvalidInput);
  expect(() =>
    singleTag(
      {
        ...template,
        tags: [
          ['t', 'a'],
          ['t', 'b'],
        ],
      },
      't',
    ),
  ).toThrow(InvalidInput);
});
