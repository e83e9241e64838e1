/** `seedbed doctor`: is this machine fit to run a Seedbed? */
import process from 'node:process';
import { type Command, EXIT, readArguments } from './command.ts';

const HELP = `Usage: seedbed doctor [--json]

Looks at what a server needs here: Node, ports, data folder, disk, WebRTC; and at what is only useful. Changes nothing.

Exit codes: 0 everything needed is fine, 1 something needed is not.
`;

const MARKS = { good: '✔', useful: '–', bad: '✘' } as const;

export const doctorCommand: Command = {
  summary: 'look whether this machine can run a server',
  help: HELP,
  async run(args) {
    const { values } = readArguments(args, { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } });
    if (values.help === true) {
      process.stdout.write(HELP);
      return EXIT.done;
    }
    const { examine } = await import('../app/doctor.ts');
    const findings = await examine(process.env);
    for (const { name, state, found, advice } of findings) {
      if (values.json === true) process.stdout.write(`${JSON.stringify({ name, state, found, advice })}\n`);
      else
        process.stdout.write(
          `${MARKS[state]} ${name.padEnd(14)}${found}${advice === undefined ? '' : `\n    ${advice}`}\n`,
        );
    }
    return findings.some(({ state }) => state === 'bad') ? EXIT.failed : EXIT.done;
  },
};
