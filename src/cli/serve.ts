/** `seedbed serve`. */
import process from 'node:process';
import { type Command, EXIT, readArguments } from './command.ts';

export const serveCommand: Command = {
  summary: 'run the server: web app, uploads, tracker, seeding',
  // The help lists every setting, which only the program itself knows: it is printed by `run`.
  help: '',
  async run(args) {
    const { values } = readArguments(args, {
      help: { type: 'boolean', short: 'h' },
      'print-config': { type: 'boolean' },
      json: { type: 'boolean' },
    });
    const { serve, SERVE_HELP } = await import('../app/serve.ts');
    if (values.help === true) {
      process.stdout.write(SERVE_HELP);
      return EXIT.done;
    }
    return serve({ printConfig: values['print-config'] ?? false, json: values.json ?? false });
  },
};
