/** Where things are: the project, and the side folder for everything set-up makes (never committed, safe to delete). */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const SIDE = path.join(ROOT, '.seedbed');
