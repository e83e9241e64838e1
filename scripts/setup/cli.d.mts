/** Program and arguments; `node` stands for the right Node. */
export const CLI: readonly [string, ...string[]];
