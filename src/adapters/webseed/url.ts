/** Which URL a web seed of a single-file torrent means. */
import { InvalidInput } from '../../base/errors.ts';

/**
 * BEP 19: a web seed that ends in `/` is a folder that holds the file under its torrent name; any other is the file
 * itself. @throws InvalidInput for anything but http(s), for user names and passwords.
 */
export function webSeedUrl(text: string, torrentName: string): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new InvalidInput('a web seed is an http or https URL');
  if (url.username !== '' || url.password !== '') throw new InvalidInput('a web seed carries no user name or password');
  if (url.pathname.endsWith('/')) url.pathname += encodeURIComponent(torrentName);
  url.hash = '';
  return url;
}
