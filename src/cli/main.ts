/** The command line: picks the command, prints help, turns what happened into an exit code. */
import process from 'node:process';
import { type Command, complain, EXIT, WrongUsage } from './command.ts';
import { doctorCommand } from './doctor.ts';
import { getCommand } from './get.ts';
import { seedCommand } from './seed.ts';
import { serveCommand } from './serve.ts';

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: serveCommand,
  get: getCommand,
  seed: seedCommand,
  doctor: doctorCommand,
};

const HELP = `Usage: seedbed <command> [options]

${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`)
  .join('\n')}

seedbed <command> --help tells more.
`;

process.exitCode = await main(process.argv.slice(2));

async function main([name = '--help', ...args]: readonly string[]): Promise<number> {
  if (name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(HELP);
    return EXIT.done;
  }
  if (name === '--version') {
    const { VERSION } = await import('../app/version.ts');
    process.stdout.write(`${VERSION}\n`);
    return EXIT.done;
  }
  try {
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command === undefined) throw new WrongUsage(`there is no command ${name}`);
    return await command.run(args);
  } catch (error) {
    const code = complain(error, args.includes('--json'));
    if (error instanceof WrongUsage)
      process.stderr.write(`Try: seedbed ${Object.hasOwn(COMMANDS, name) ? `${name} ` : ''}--help\n`);
    return code;
  }
}
