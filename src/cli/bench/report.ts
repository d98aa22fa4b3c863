/** The figures as a table for people. */
import type { Figures } from './measure.ts';
import type { Scenario } from './scenarios.ts';

/** What stands in the JSON for each scenario. */
export interface Row {
  readonly name: string;
  readonly title: string;
  readonly measure: Scenario['measure'];
  readonly brokers: Readonly<Record<string, Figures>>;
  /** Ours to the rival's in `measure`; undefined without a rival. */
  readonly ratio: number | undefined;
}

interface Column {
  readonly title: string;
  readonly text: (figures: Figures, row: Row) => string;
}

const COLUMNS: readonly Column[] = [
  { title: 'msgs/s', text: (figures, row) => whole(rateOf(figures, row)) },
  { title: 'ack p50 ms', text: (figures) => figures.ackP50Ms.toFixed(2) },
  { title: 'p99 ms', text: (figures) => figures.ackP99Ms.toFixed(2) },
  { title: 'CPU s', text: (figures) => figures.cpuS.toFixed(2) },
  { title: 'CPU s/M', text: (figures) => figures.cpuSPerMillion.toFixed(1) },
  { title: 'start ms', text: (figures) => whole(figures.startMs) },
  { title: 'RSS MB idle', text: (figures) => whole(figures.rssIdleMb) },
  { title: 'peak', text: (figures) => whole(figures.rssPeakMb) },
  { title: 'syncs', text: (figures) => whole(figures.syncs) },
  { title: 'B written/msg', text: (figures) => whole(figures.writtenBytesPerMsg) },
];

const NAME_WIDTH = 12;

export function reportLines(rows: readonly Row[]): string[] {
  const head = line(
    '',
    COLUMNS.map(({ title }) => title),
  );
  const body = rows.flatMap((row) => [
    '',
    row.title,
    ...Object.entries(row.brokers).map(([name, figures]) =>
      line(
        name,
        COLUMNS.map(({ text }) => text(figures, row)),
      ),
    ),
    ...(row.ratio === undefined
      ? []
      : [`ratio of ${labelOf(row.measure)}: ${row.ratio.toFixed(2)}`]),
  ]);
  return [head, ...body];
}

/** What the scenario is about: acknowledged, delivered or drained messages a second. */
function rateOf(figures: Figures, row: Row): number {
  return row.measure === 'cpuS' ? figures.msgsPerS : figures[row.measure];
}

function labelOf(measure: Row['measure']): string {
  return measure === 'cpuS' ? 'CPU time (less is better)' : 'msgs/s';
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function line(name: string, cells: readonly string[]): string {
  const padded = cells.map((cell, index) => {
    const width = Math.max(9, COLUMNS[index]?.title.length ?? 0);
    return cell.padStart(width);
  });
  return [name.padEnd(NAME_WIDTH), ...padded].join('  ').trimEnd();
}
