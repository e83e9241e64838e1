/** Which URL a web seed means (BEP 19). */
import { InvalidInput } from '../base/errors.ts';

/**
 * The URL of a torrent's only file: a web seed that ends in `/` is a folder that holds it under the torrent's name; any
 * other is the file itself. @throws InvalidInput for anything but http(s), for user names and passwords.
 */
export function webSeedUrl(text: string, torrentName: string): URL {
  const url = checkedUrl(text);
  return url.pathname.endsWith('/') ? within(url, [torrentName]) : url;
}

/** The folder under which a torrent of many files lies, whether its `/` was left out or not. @throws InvalidInput as `webSeedUrl` */
export function webSeedFolder(text: string): URL {
  const url = checkedUrl(text);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** The URL of a file below it. @throws InvalidInput for a path that would lead out of the folder */
export function within(folder: URL, path: readonly string[]): URL {
  const url = new URL(folder);
  const wanted = folder.pathname + path.map((element) => encodeURIComponent(element)).join('/');
  url.pathname = wanted;
  if (url.pathname !== wanted) throw new InvalidInput('a path that no URL can name', { path: path.join('/') });
  return url;
}

function checkedUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new InvalidInput('a web seed is an http or https URL');
  if (url.username !== '' || url.password !== '') throw new InvalidInput('a web seed carries no user name or password');
  url.hash = '';
  return url;
}
