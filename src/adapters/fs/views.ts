/** Lists of byte views as one stretch of bytes, for calls that may do less than they were asked to. */

export function lengthOf(views: readonly Uint8Array[]): number {
  let sum = 0;
  for (const view of views) sum += view.length;
  return sum;
}

/** What is left of `views` after the first `count` bytes; empty when nothing is. */
export function viewsAfter(views: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let skip = count;
  for (let index = 0; index < views.length; index++) {
    const view = views[index];
    if (view === undefined) break;
    if (skip < view.length) return [view.subarray(skip), ...views.slice(index + 1)];
    skip -= view.length;
  }
  return [];
}
