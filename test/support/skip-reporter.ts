/** Says at the end of a run which tests were skipped and why: a promise that was not proven is never silent. */
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node';

export class SkipReporter implements Reporter {
  #selected = false;

  onInit(vitest: Vitest): void {
    // With `-t` almost everything is skipped, on purpose.
    this.#selected = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (this.#selected) return;
    const lines = modules.flatMap((module) => [...module.children.allTests('skipped')].map(describeSkip));
    if (lines.length > 0) process.stdout.write(`\n Skipped ${lines.length}:\n${lines.join('\n')}\n`);
  }
}

function describeSkip(test: TestCase): string {
  const result = test.result();
  const note = result.state === 'skipped' && result.note !== undefined ? `: ${result.note}` : '';
  return `   ${test.module.relativeModuleId} > ${test.fullName}${note}`;
}
