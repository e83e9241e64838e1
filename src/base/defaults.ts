/** Options over their defaults. */

/** The defaults with what is given instead; an option given as `undefined` counts as left out. */
export function withDefaults<Options extends object>(
  defaults: Options,
  given: { readonly [Option in keyof Options]?: Options[Option] | undefined },
): Options {
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...defaults, ...said };
}
