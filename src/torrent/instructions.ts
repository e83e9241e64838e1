/**
 * What a torrent was told to fetch: which files, how eagerly, and from which web seeds. Invariant: what was said before
 * the metadata was known holds as soon as there is content, and what is said later reaches the content at once.
 */
import type { FileRange } from '../codec/magnet.ts';
import type { Content } from './content.ts';
import type { ContentParts } from './content-host.ts';
import type { RangeSource } from './ports.ts';
import type { TorrentOptions } from './torrent-types.ts';
import type { WebSeedUse } from './web-seeding.ts';
import { checkChoices, onlyFiles, type FileChoice, type TorrentMode } from './wishes.ts';

export class Instructions {
  readonly #webSeedUse: WebSeedUse;
  readonly #content: () => Content | undefined;
  /** These two until there is content to know them. */
  readonly #webSeeds: RangeSource[];
  #choices: readonly FileChoice[];
  #mode: TorrentMode;

  /** `content` is undefined while the metadata is not known. @throws InvalidInput for a selection that is none. */
  constructor({ mode, selectedFiles, webSeeds, webSeedUse }: TorrentOptions, content: () => Content | undefined) {
    this.#content = content;
    this.#mode = mode ?? 'all';
    this.#choices = selectedFiles?.length ? onlyFiles(selectedFiles) : [];
    checkChoices(this.#choices);
    this.#webSeeds = [...(webSeeds ?? [])];
    this.#webSeedUse = webSeedUse ?? 'when-needed';
  }

  get mode(): TorrentMode {
    return this.#mode;
  }

  /** What content starts with. Files selected by name, now that names are known, go before what a magnet says. */
  toStart(selectedFiles: readonly FileRange[] | undefined): Pick<ContentParts, 'mode' | 'choices' | 'webSeedUse'> {
    const choices = selectedFiles?.length ? onlyFiles(selectedFiles) : this.#choices;
    return { mode: this.#mode, choices, webSeedUse: this.#webSeedUse };
  }

  /** There is content, which knows files and web seeds from now on. */
  passTo(content: Content): void {
    this.#choices = [];
    for (const source of this.#webSeeds.splice(0)) content.addWebSeed(source);
  }

  /** These files and no others; indices beyond the last file mean nothing. @throws InvalidInput */
  select(ranges: readonly FileRange[]): void {
    this.#choices = [];
    this.prioritize(onlyFiles(ranges));
  }

  /** Some files more, or less. @throws InvalidInput */
  prioritize(choices: readonly FileChoice[]): void {
    const all = [...this.#choices, ...choices];
    checkChoices(all);
    const content = this.#content();
    if (content === undefined) this.#choices = all;
    else content.prioritize(choices);
  }

  setMode(mode: TorrentMode): void {
    this.#mode = mode;
    this.#content()?.setMode(mode);
  }

  addWebSeed(source: RangeSource): void {
    const content = this.#content();
    if (content === undefined) this.#webSeeds.push(source);
    else content.addWebSeed(source);
  }
}
