/** How the report writes figures, and a table of them. */
import type { LOG, OpClass } from '../../model/class.ts';

export type ShownClass = Exclude<OpClass, typeof LOG>;

/** The log is about the others. */
export const SHOWN_CLASSES: readonly ShownClass[] = [0, 1, 2, 3, 4, 5];

export function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(1)} %`;
}

export function count(value: number): string {
  return value.toLocaleString('en').replaceAll(',', '\u202f');
}

export function counted(value: number, thing: string): string {
  return `${count(value)} ${thing}${value === 1 ? '' : 's'}`;
}

/** Minutes below an hour, days from two on. */
export function hours(value: number): string {
  if (value < 1) return `${Math.round(60 * value)} min`;
  return value < 48 ? `${value.toFixed(1)} h` : `${(value / 24).toFixed(1)} d`;
}

export function lateRatio({
  born,
  late,
}: {
  readonly born: number;
  readonly late: number;
}): number {
  return born === 0 ? 0 : late / born;
}

export interface Row {
  /** HTML. */
  readonly cells: readonly string[];
  readonly isOurs?: boolean;
}

/** Scrolls sideways where it is wider than the screen. */
export function table(heads: readonly string[], rows: readonly Row[]): string {
  const head = heads.map((name) => `<th>${name}</th>`).join('');
  const body = rows.map(({ cells, isOurs = false }) => {
    const inside = cells.map((cell) => `<td>${cell}</td>`).join('');
    return `<tr${isOurs ? ' class="ours"' : ''}>${inside}</tr>`;
  });
  return `<div class="scroll"><table><tr>${head}</tr>${body.join('')}</table></div>`;
}
