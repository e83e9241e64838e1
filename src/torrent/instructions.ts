/**
 * What a torrent was told to fetch: which files, how eagerly, and from which web seeds. Invariant: what was said before
 * the metadata was known holds as soon as there is content, and what is said later reaches the content at once.
 */
import type { FileRange } from '../codec/magnet.ts';
import type { TorrentInfo } from '../codec/torrent-info.ts';
import type { ContentParts } from './content/content-host.ts';
import type { Content } from './content/content.ts';
import type { TorrentOptions } from './content/torrent-types.ts';
import type { WebSeedUse } from './download/web-seeding.ts';
import { checkChoices, checkSelection, onlyFiles, type FileChoice, type TorrentMode } from './download/wishes.ts';
import { checkMode, checkRanges } from './options-check.ts';
import type { RangeSource } from './ports.ts';

export class Instructions {
  readonly #webSeedUse: WebSeedUse;
  readonly #content: () => Content | undefined;
  /** These two until there is content to know them. */
  readonly #webSeeds: RangeSource[];
  #choices: readonly FileChoice[];
  /** The only files, as said last; whether the torrent has them is seen with its metadata. */
  #selected: readonly FileRange[];
  #mode: TorrentMode;

  /** `content` is undefined while the metadata is not known. @throws InvalidInput for a selection that is none. */
  constructor({ mode, selectedFiles, webSeeds, webSeedUse }: TorrentOptions, content: () => Content | undefined) {
    this.#content = content;
    this.#mode = mode ?? 'all';
    this.#selected = selectedFiles ?? [];
    this.#choices = this.#selected.length > 0 ? onlyFiles(this.#selected) : [];
    checkChoices(this.#choices);
    this.#webSeeds = [...(webSeeds ?? [])];
    this.#webSeedUse = webSeedUse ?? 'when-needed';
  }

  get mode(): TorrentMode {
    return this.#mode;
  }

  /**
   * What content starts with. Files selected by name, now that names are known, go before what a magnet says.
   * @throws InvalidInput for a selection that names no file of the torrent
   */
  toStart(
    { files }: Pick<TorrentInfo, 'files'>,
    selectedFiles: readonly FileRange[] = [],
  ): Pick<ContentParts, 'mode' | 'choices' | 'webSeedUse'> {
    const isByName = selectedFiles.length > 0;
    checkSelection(isByName ? selectedFiles : this.#selected, files.length);
    const choices = isByName ? onlyFiles(selectedFiles) : this.#choices;
    return { mode: this.#mode, choices, webSeedUse: this.#webSeedUse };
  }

  /** There is content, which knows files and web seeds from now on. */
  passTo(content: Content): void {
    this.#choices = [];
    for (const source of this.#webSeeds.splice(0)) content.addWebSeed(source);
  }

  /** These files and no others. @throws InvalidInput for ranges that are none, or name no file of the torrent */
  select(ranges: readonly FileRange[]): void {
    checkRanges('files', ranges);
    const choices = onlyFiles(ranges);
    checkChoices(choices);
    const content = this.#content();
    if (content === undefined) [this.#selected, this.#choices] = [[...ranges], choices];
    else {
      checkSelection(ranges, content.info.files.length);
      content.prioritize(choices);
    }
  }

  /** Some files more, or less. @throws InvalidInput */
  prioritize(choices: readonly FileChoice[]): void {
    checkRanges('choices', choices);
    const all = [...this.#choices, ...choices];
    checkChoices(all);
    const content = this.#content();
    if (content === undefined) this.#choices = all;
    else content.prioritize(choices);
  }

  /** @throws InvalidInput for what is no mode */
  setMode(mode: TorrentMode): void {
    checkMode(mode);
    this.#mode = mode;
    this.#content()?.setMode(mode);
  }

  addWebSeed(source: RangeSource): void {
    const content = this.#content();
    if (content === undefined) this.#webSeeds.push(source);
    else content.addWebSeed(source);
  }
}
