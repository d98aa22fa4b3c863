/** What a check of `heliograph doctor` found, and how it is told. */
import { FAULTS, type FaultCode, HubError, messageOf } from '../../base/errors.ts';

/** `wrong` makes the exit code 1; a `note` is worth knowing; `skipped` says why nothing was looked at. */
export type Verdict = 'ok' | 'note' | 'wrong' | 'skipped';

export interface Check {
  readonly name: string;
  readonly verdict: Verdict;
  readonly found: string;
  /** What to do, in this order. */
  readonly steps: readonly string[];
  /** The safe step that `--fix` takes; says what it did. */
  readonly fix?: () => string;
}

export function ok(name: string, found: string): Check {
  return { name, verdict: 'ok', found, steps: [] };
}

export function note(name: string, found: string, ...steps: readonly string[]): Check {
  return { name, verdict: 'note', found, steps };
}

export function wrong(name: string, found: string, ...steps: readonly string[]): Check {
  return { name, verdict: 'wrong', found, steps };
}

export function skipped(name: string, found: string): Check {
  return { name, verdict: 'skipped', found, steps: [] };
}

export function wrongByFault(name: string, code: FaultCode, message: string): Check {
  return wrong(name, `${message} (${code})`, FAULTS[code]);
}

/** A check that ends in a fault is wrong in the fault's words; bugs pass through. */
export function checked(name: string, look: () => Check): Check {
  try {
    return look();
  } catch (error) {
    if (error instanceof HubError) return wrongByFault(name, error.code, error.message);
    if (error instanceof Error && 'code' in error) {
      return wrong(name, messageOf(error), 'Run this as the user that runs the hub, or as root.');
    }
    throw error;
  }
}
