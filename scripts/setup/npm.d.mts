/** Types of `npm.mjs` for the scripts that are TypeScript. */

/** `npm ci` as we mean it. */
export declare const NPM_CI: readonly string[];

/** How to start npm: a program and its first arguments. */
export declare function findNpm(env: NodeJS.ProcessEnv): readonly [program: string, ...args: string[]];
