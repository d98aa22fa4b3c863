/** Small pieces of text for terminals: sizes, columns, colours. */
import { durationText } from '../base/duration.ts';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Decimal, as disks and tariffs count: `640 B`, `1.2 MB`, `21 GB`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(value < 10 && unit > 0 ? 1 : 0)} ${UNITS[unit]}`;
}

export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

export function agoText(seconds: number): string {
  return `${durationText(seconds)} ago`;
}

/** Rows with columns as wide as their widest cell; `right` names the columns that end flush. */
export function columns(
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    }
  }
  return rows.map((row) =>
    row
      .map((cell, index) => {
        const width = widths[index] as number;
        return right.includes(index) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

export type Colour = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold';

const CODES: Readonly<Record<Colour, number>> = {
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
  cyan: 36,
};

export type Paint = (colour: Colour, text: string) => string;

/** Colours on a terminal that wants them (https://no-color.org); else the text alone. */
export function paintFor(io: {
  readonly isTty: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}): Paint {
  if (!io.isTty || (io.env['NO_COLOR'] ?? '') !== '') return (_, text) => text;
  return (colour, text) => `\u001b[${CODES[colour]}m${text}\u001b[0m`;
}

/** The text of a hub or a device, without signs that would command the terminal. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- These signs are what must not get through.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd');
}
