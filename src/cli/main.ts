/** The command line: picks the command, prints its help, turns its result into an exit code. */
import process from 'node:process';
import { parseArgs } from 'node:util';

process.exitCode = await main(process.argv.slice(2));

async function main([command, ...args]: readonly string[]): Promise<number> {
  if (command !== 'serve') {
    process.stderr.write('usage: seedbed serve\n');
    return 2;
  }
  const { serve, SERVE_HELP } = await import('../app/serve.ts');
  const { values } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean', short: 'h' }, 'print-config': { type: 'boolean' }, json: { type: 'boolean' } },
  });
  if (values.help) {
    process.stdout.write(SERVE_HELP);
    return 0;
  }
  return await serve({ printConfig: values['print-config'] ?? false, json: values.json ?? false });
}
