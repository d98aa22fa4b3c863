/** A diagnosis for eyes and for programs. */
import type { RecoveryRow } from '../../sync/recovery-table.ts';
import type { CliIo } from '../io.ts';
import { type Colour, paintFor } from '../text.ts';
import type { Check, Verdict } from './check.ts';

/** What `doctor` found. */
export interface Diagnosis {
  readonly checks: readonly Check[];
  /** States of sync that hold, worst first; undefined where nobody can say. */
  readonly states: readonly RecoveryRow[] | undefined;
  /** What `--fix` did. */
  readonly fixed: readonly string[];
}

const COLOURS: Readonly<Record<Verdict, Colour>> = {
  ok: 'green',
  note: 'yellow',
  wrong: 'red',
  skipped: 'dim',
};
const VERDICT_WIDTH = 9;
const NAME_WIDTH = 15;
const INDENT = ' '.repeat(VERDICT_WIDTH + NAME_WIDTH);

export function renderDiagnosis({ checks, states, fixed }: Diagnosis, io: CliIo): string[] {
  const paint = paintFor(io);
  const lines = checks.flatMap(({ name, verdict, found, steps, fix }) => {
    const head = paint(COLOURS[verdict], verdict.padEnd(VERDICT_WIDTH));
    const offer = fix === undefined ? [] : ['`heliograph doctor --fix` does this.'];
    return [
      `${head}${name.padEnd(NAME_WIDTH)}${found}`,
      ...[...steps, ...offer].map((step) => `${INDENT}→ ${step}`),
    ];
  });
  for (const done of fixed) lines.push(`${paint('cyan', 'fixed'.padEnd(VERDICT_WIDTH))}${done}`);
  lines.push('');
  const [worst, ...also] = states ?? [];
  if (worst === undefined) lines.push('Sync state: only a running hub knows.');
  else {
    const colour = { wrong: 'red', watch: 'yellow', good: 'green' } as const;
    const name = paint(colour[worst.severity], worst.name);
    lines.push(`Sync state: ${name}. ${worst.meaning}`);
    worst.steps.forEach((step, index) => lines.push(`  ${index + 1}. ${step}`));
    if (also.length > 0) lines.push(`Also: ${also.map((row) => row.name).join(', ')}.`);
  }
  return lines;
}

export function jsonOf({ checks, states, fixed }: Diagnosis): unknown {
  const [worst, ...also] = states ?? [];
  const sync =
    worst === undefined
      ? null
      : {
          state: worst.name,
          severity: worst.severity,
          meaning: worst.meaning,
          steps: worst.steps,
          also: also.map(({ name }) => name),
        };
  const shown = checks.map(({ name, verdict, found, steps, fix }) => ({
    name,
    verdict,
    found,
    steps,
    fixable: fix !== undefined,
  }));
  const isOk = checks.every(({ verdict }) => verdict !== 'wrong') && worst?.severity !== 'wrong';
  return { ok: isOk, sync, checks: shown, fixed };
}
