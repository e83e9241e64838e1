/** Names from strangers made fit for showing. They never become storage paths; this only keeps screens and lists honest. */

/** Longest name kept, in code points. */
export const MAX_NAME_LENGTH = 255;

/** Controls (C0, C1, DEL), line separators, bidirectional marks and overrides, invisible joiners, lone surrogates. */
const INVISIBLE =
  // eslint-disable-next-line no-control-regex -- these are what is removed
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ud800-\udfff]/gu;

/** Most names: printable ASCII with nothing to remove. */
const PLAIN = /^[!-.0-[\]-~](?:[ !-.0-[\]-~]{0,253}[!-.0-[\]-~])?$/;

/** Printable ASCII that is shown as it is; bytes written as a string of one character each may be asked, too. */
export function isPlainName(text: string): boolean {
  return PLAIN.test(text) && text !== '.' && text !== '..';
}

/**
 * One path element as text: invisible and direction-changing characters removed, slashes shown as `_`, at most 255 code
 * points. What would be empty, `.` or `..` becomes `_`. Different names may come out equal.
 */
export function displayName(text: string): string {
  if (isPlainName(text)) return text;
  const visible = text
    .slice(0, 4 * MAX_NAME_LENGTH)
    .replaceAll(INVISIBLE, '')
    .replaceAll(/[/\\]/g, '_')
    .trim();
  const name = Array.from(visible).slice(0, MAX_NAME_LENGTH).join('');
  return name === '' || name === '.' || name === '..' ? '_' : name;
}
