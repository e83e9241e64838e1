/**
 * Build step: fails the build when what a first visit to `/` must load is larger than the budget. Counted gzip -9:
 * the entry, the home page's chunk, everything both import statically, and their styles.
 */
import { gzipSync } from 'node:zlib';
import type { Plugin, Rolldown } from 'vite';

/** What the first route may weigh, gzip, in bytes. */
export const FIRST_ROUTE_BUDGET_BYTES = 170 * 1024;

export interface BuiltChunk {
  readonly isEntry: boolean;
  /** Source module a dynamic import asked for, if this chunk is one's facade. */
  readonly facade: string | undefined;
  readonly imports: readonly string[];
  readonly styles: readonly string[];
}

/** File names a visit to the page `facadeSuffix` loads: the entry, the page, and what they import statically. */
export function filesOfFirstRoute(chunks: ReadonlyMap<string, BuiltChunk>, facadeSuffix: string): Set<string> {
  const wanted = new Set<string>();
  const visit = (name: string): void => {
    const chunk = chunks.get(name);
    if (chunk === undefined || wanted.has(name)) return;
    wanted.add(name);
    for (const style of chunk.styles) wanted.add(style);
    for (const imported of chunk.imports) visit(imported);
  };
  for (const [name, chunk] of chunks) if (chunk.isEntry || chunk.facade?.endsWith(facadeSuffix) === true) visit(name);
  return wanted;
}

function describeChunks(bundle: Rolldown.OutputBundle): Map<string, BuiltChunk> {
  const chunks = new Map<string, BuiltChunk>();
  for (const [name, output] of Object.entries(bundle)) {
    if (output.type !== 'chunk') continue;
    chunks.set(name, {
      isEntry: output.isEntry,
      facade: output.facadeModuleId ?? undefined,
      imports: output.imports,
      styles: [...(output.viteMetadata?.importedCss ?? [])],
    });
  }
  return chunks;
}

function gzipBytes(output: Rolldown.OutputAsset | Rolldown.OutputChunk | undefined): number {
  if (output === undefined) return 0;
  return gzipSync(output.type === 'chunk' ? output.code : output.source, { level: 9 }).length;
}

/** Fails the build above `budgetBytes`; always prints the figure. `facadeSuffix` names the first page's module. */
export function sizeBudget(facadeSuffix: string, budgetBytes: number = FIRST_ROUTE_BUDGET_BYTES): Plugin {
  return {
    name: 'seedbed:size-budget',
    apply: 'build',
    generateBundle(_options, bundle) {
      const files = filesOfFirstRoute(describeChunks(bundle), facadeSuffix);
      const total = [...files].reduce((sum, name) => sum + gzipBytes(bundle[name]), 0);
      const figures = `first route: ${(total / 1024).toFixed(1)} KiB gzip of ${(budgetBytes / 1024).toFixed(0)}`;
      if (total > budgetBytes) this.error(`${figures}: load something later`);
      this.info(figures);
    },
  };
}
