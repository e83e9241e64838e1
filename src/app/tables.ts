/** All tables and migrations of the one database. */
import { accountMigrations, type AccountTables } from '../accounts/tables.ts';
import { mediaMigrations, type MediaTables } from '../media/tables.ts';

export type Tables = AccountTables & MediaTables;

export const migrations = [...accountMigrations, ...mediaMigrations];
