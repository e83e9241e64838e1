/** A report as a table for people and as JSON for whoever compares runs. */
import { mkdir, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { formatBytes } from '../../src/base/units.ts';
import type { Metric, Report, Row, Spread } from './bench.ts';

/** Processor, memory, kernel, Node and how busy the machine was: without it no figure means anything. */
export function machineLine(): string {
  const cpus = os.cpus();
  const [load = 0] = os.loadavg();
  const model = (cpus[0]?.model ?? 'unknown processor').replaceAll(/\s+/g, ' ').trim();
  const system = `${os.type()} ${os.release()}, Node ${process.versions.node}`;
  return `${cpus.length} × ${model}, ${formatBytes(os.totalmem())}, ${system}, load ${load.toFixed(1)}`;
}

function digits(value: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

/** `523 (498–541)`: median and extremes. */
export function formatSpread({ median, min, max }: Spread): string {
  return min === max ? digits(median) : `${digits(median)} (${digits(min)}–${digits(max)})`;
}

/** Lines of a table, one row per contender; the best of each column carries an asterisk. */
export function formatTable({ metrics, rows }: Report): string[] {
  const head = ['', ...metrics.map(({ name, unit }) => `${name} ${unit}`)];
  const body = rows.map((row) => [row.contender, ...metrics.map((metric) => cell(row, metric, rows))]);
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((line) => line[column]?.length ?? 0)));
  return [head, ...body].map((line) =>
    line
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function cell(row: Row, metric: Metric, rows: readonly Row[]): string {
  const spread = row.figures[metric.name];
  if (spread === undefined) return row.lack ?? '–';
  const medians = rows.flatMap(({ figures }) => figures[metric.name]?.median ?? []);
  const best = metric.better === 'higher' ? Math.max(...medians) : Math.min(...medians);
  return formatSpread(spread) + (medians.length > 1 && spread.median === best ? ' *' : '');
}

/** Writes `<folder>/<name>.json` and resolves with its path. */
export async function saveReport(folder: string, report: Report): Promise<string> {
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, `${report.name}.json`);
  const content = { at: new Date().toISOString(), machine: machineLine(), ...report };
  await writeFile(file, `${JSON.stringify(content, null, 2)}\n`);
  return file;
}
