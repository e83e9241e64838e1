/** Types are told from bytes; what could run in a browser never passes as plain text. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, fromLatin1, utf8 } from '../base/bytes.ts';
import { mediumType, sniff, SNIFF_BYTES } from './sniff.ts';

const ftyp = (major: string, ...compatible: string[]): Uint8Array => {
  const sizeBytes = 16 + 4 * compatible.length;
  return fromLatin1(`\0\0\0${String.fromCharCode(sizeBytes)}ftyp${major}\0\0\0\0${compatible.join('')}moov....`);
};
const ebml = (docType: string, rest = ''): Uint8Array =>
  fromLatin1(
    `\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\x82${String.fromCharCode(0x80 + docType.length)}${docType}${rest}`,
  );

describe('bytes have one type', () => {
  test.each<[what: string, bytes: Uint8Array, type: string]>([
    ['MP4', ftyp('isom', 'iso2', 'avc1', 'mp41'), 'video/mp4'],
    ['MP4 of a phone', ftyp('mp42', 'isom'), 'video/mp4'],
    ['QuickTime', ftyp('qt  '), 'video/quicktime'],
    ['QuickTime without ftyp', fromLatin1('\0\0\x10\0moov\0\0\0\x6cmvhd'), 'video/quicktime'],
    ['M4A', ftyp('M4A ', 'mp42'), 'audio/mp4'],
    ['3GP', ftyp('3gp5'), 'video/3gpp'],
    ['AVIF', ftyp('avif', 'mif1'), 'image/avif'],
    ['AVIF under a generic brand', ftyp('mif1', 'mif1', 'avif'), 'image/avif'],
    ['HEIC', ftyp('heic', 'mif1'), 'image/heic'],
    ['HEIC under a generic brand', ftyp('mif1', 'heic'), 'image/heic'],
    ['WebM', ebml('webm', 'V_VP9 A_OPUS'), 'video/webm'],
    ['WebM with sound only', ebml('webm', 'A_OPUS'), 'audio/webm'],
    ['Matroska', ebml('matroska'), 'video/x-matroska'],
    ['MP3 with a tag', fromLatin1('ID3\x04\0\0\0\0\0\0'), 'audio/mpeg'],
    ['MP3 from its first frame', fromLatin1('\xff\xfb\x90\x64\0\0'), 'audio/mpeg'],
    ['AAC (ADTS)', fromLatin1('\xff\xf1\x50\x80\0\0'), 'audio/aac'],
    ['FLAC', fromLatin1('fLaC\0\0\0\x22'), 'audio/flac'],
    ['Ogg Opus', fromLatin1('OggS\0\x02........OpusHead'), 'audio/ogg'],
    ['Ogg Theora', fromLatin1('OggS\0\x02........\x80theora'), 'video/ogg'],
    ['WAV', fromLatin1('RIFF\x24\0\0\0WAVEfmt '), 'audio/wav'],
    ['WebP', fromLatin1('RIFF\x24\0\0\0WEBPVP8 '), 'image/webp'],
    ['AVI', fromLatin1('RIFF\x24\0\0\0AVI LIST'), 'video/x-msvideo'],
    ['PNG', fromLatin1('\x89PNG\r\n\x1a\n\0\0\0\rIHDR'), 'image/png'],
    ['JPEG', fromLatin1('\xff\xd8\xff\xe0\0\x10JFIF'), 'image/jpeg'],
    ['GIF', fromLatin1('GIF89a\x01\0\x01\0'), 'image/gif'],
    ['PDF', fromLatin1('%PDF-1.7\n%\xe2\xe3'), 'application/pdf'],
    ['ZIP', fromLatin1('PK\x03\x04\x14\0'), 'application/zip'],
    ['empty ZIP', fromLatin1('PK\x05\x06\0\0'), 'application/zip'],
    ['gzip', fromLatin1('\x1f\x8b\x08\0'), 'application/gzip'],
    ['7z', fromLatin1('7z\xbc\xaf\x27\x1c\0\x04'), 'application/x-7z-compressed'],
    ['HTML', utf8('\n <!DOCTYPE html><title>x</title>'), 'text/html'],
    ['HTML behind comments', utf8('<!-- a --><!-- b -->\n<script>1</script>'), 'text/html'],
    ['HTML in UTF-16', fromLatin1('\xff\xfe<\0h\0t\0m\0l\0>\0'), 'text/html'],
    ['HTML behind a byte order mark', utf8('\ufeff<html>'), 'text/html'],
    ['XHTML', utf8('<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">'), 'application/xhtml+xml'],
    ['SVG', utf8('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'image/svg+xml'],
    [
      'SVG behind a prologue',
      utf8('<?xml version="1.0"?>\n<!-- x -->\n<!DOCTYPE svg PUBLIC "x" "y">\n<svg/>'),
      'image/svg+xml',
    ],
    ['SVG behind a foreign doctype', utf8('<!DOCTYPE x [<!ENTITY a "b">]><svg onload="1"/>'), 'image/svg+xml'],
    ['XML', utf8('<?xml version="1.0"?><rss/>'), 'application/xml'],
    ['JSON', utf8('{"a": [1, 2]}'), 'application/json'],
    ['JSON-like text', utf8('{not json}'), 'text/plain'],
    ['subtitles', utf8('WEBVTT\n\n00:00.000 --> 00:01.000\nhi'), 'text/vtt'],
    ['text', utf8('Grüße, 世界\n'), 'text/plain'],
    ['text of angle brackets', utf8('<3 you'), 'text/plain'],
    ['bytes of no kind', fromLatin1('\x00\x01\x02\x03'), 'application/octet-stream'],
    ['broken UTF-8', fromLatin1('abc\xc3\x28'), 'application/octet-stream'],
    ['nothing', new Uint8Array(0), 'application/octet-stream'],
  ])('%s', (_what, bytes, type) => {
    expect(sniff(bytes)).toBe(type);
  });

  test('text cut in the middle of a character is still text', () => {
    const long = utf8(`ab${'€'.repeat(2000)}`).subarray(0, SNIFF_BYTES);
    expect(sniff(long)).toBe('text/plain');
    expect(sniff(long, true)).toBe('application/octet-stream');
  });

  test('large JSON is told from its beginning', () => {
    expect(sniff(utf8(`[{"a":"${'x'.repeat(SNIFF_BYTES)}`).subarray(0, SNIFF_BYTES))).toBe('application/json');
  });

  test('any bytes at all have a type', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (bytes, isWhole) => {
        expect(sniff(bytes, isWhole)).toMatch(/^[a-z]+\/[a-z0-9.+-]+$/);
      }),
      { numRuns: 2000 },
    );
  });

  test('no prefix of white space and comments hides a script', () => {
    const space = fc.constantFrom(' ', '\n', '\t', '<!-- c -->', '<!---->', '<?p x?>');
    fc.assert(
      fc.property(
        fc.array(space, { maxLength: 20 }),
        fc.constantFrom('<script>', '<ScRiPt >', '<img src=x>'),
        (parts, tag) => {
          expect(sniff(utf8(parts.join('') + tag))).toMatch(/html/);
        },
      ),
    );
  });
});

describe('a declared type only refines what the bytes say', () => {
  test.each([
    { bytes: ftyp('isom'), declared: 'audio/mp4', want: 'audio/mp4' },
    { bytes: ftyp('isom'), declared: 'audio/x-m4a', want: 'audio/mp4' },
    { bytes: ftyp('isom'), declared: 'text/html', want: 'video/mp4' },
    { bytes: ebml('webm'), declared: 'audio/webm; codecs=opus', want: 'audio/webm' },
    { bytes: utf8('# Title'), declared: 'text/markdown; charset=utf-8', want: 'text/markdown' },
    { bytes: utf8('alert(1)'), declared: 'text/javascript', want: 'text/plain' },
    { bytes: utf8('alert(1)'), declared: 'text/html', want: 'text/plain' },
    { bytes: utf8('<script>'), declared: 'text/markdown', want: 'text/html' },
    { bytes: fromLatin1('PK\x03\x04'), declared: 'application/epub+zip', want: 'application/epub+zip' },
    { bytes: fromLatin1('PK\x03\x04'), declared: 'application/java-archive', want: 'application/zip' },
    { bytes: fromLatin1('\0\x01'), declared: 'image/png', want: 'application/octet-stream' },
    { bytes: utf8('x'), declared: undefined, want: 'text/plain' },
  ])('declared $declared gives $want', ({ bytes, declared, want }) => {
    expect(mediumType(bytes, bytes.length, declared)).toBe(want);
    expect(mediumType(concatBytes([bytes]), bytes.length, declared)).toBe(want);
  });
});
