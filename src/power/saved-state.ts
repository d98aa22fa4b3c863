/**
 * What the power brain remembers across restarts: response of the panel, clearness, floor, quota, the charge
 * last known. One small JSON file, replaced whole once an hour and at the end; damaged or of another version it
 * is ignored, and the brain learns anew. Below 100 KB by construction: every list in it has a limit.
 */
import { textOf, utf8 } from '../base/bytes.ts';
import type { Files } from '../platform/files/files.ts';
import type { EstimatorState } from './estimate/estimator.ts';
import type { GovernorMemory } from './govern/governor.ts';
import type { PlannerState } from './forecast/planner.ts';
import { FIRST_STATE, isLevelState, type LevelState } from './govern/power-state.ts';
import type { QuotaState } from './govern/quota.ts';
import { UNCOUNTED_POINTS_PER_HOUR } from './estimate/state-of-charge.ts';

export interface SavedState {
  readonly version: 1;
  /** Wall clock. */
  readonly savedAtMs: number;
  readonly planner: PlannerState;
  readonly quota: QuotaState;
  readonly estimator: EstimatorState;
  /** The state before the end: a hub that comes back within its hysteresis is where it was. */
  readonly known: LevelState | null;
}

export interface StateFile {
  readonly files: Pick<Files, 'read' | 'replace'>;
  readonly path: string;
}

/** The parts are checked by those whose they are; undefined where there is nothing to use. */
export function loadState({ files, path }: StateFile): Partial<SavedState> | undefined {
  try {
    const value: unknown = JSON.parse(textOf(files.read(path) ?? new Uint8Array()) ?? '');
    const known = typeof value === 'object' && value !== null && 'version' in value;
    return known && value.version === 1 ? (value as Partial<SavedState>) : undefined;
  } catch {
    return undefined;
  }
}

export function saveState({ files, path }: StateFile, state: SavedState): void {
  files.replace(path, utf8(JSON.stringify(state)));
}

/** A governor's first memory that knows where the battery was. */
export function savedMemory(saved: Partial<SavedState> | undefined): GovernorMemory {
  const { known } = saved ?? {};
  return { power: { ...FIRST_STATE, known: isLevelState(known) ? known : undefined } };
}

/** The charge as it was saved, less sure by the time that nobody counted. */
export function savedCharge(
  saved: Partial<SavedState> | undefined,
  wallMs: number,
): EstimatorState | undefined {
  const charge = saved?.estimator?.charge;
  const { savedAtMs } = saved ?? {};
  const usable =
    charge !== undefined &&
    Number.isFinite(charge.percent) &&
    Number.isFinite(charge.errorPoints) &&
    typeof savedAtMs === 'number' &&
    wallMs >= savedAtMs;
  if (!usable) return undefined;
  const uncounted = ((wallMs - savedAtMs) / 3_600_000) * UNCOUNTED_POINTS_PER_HOUR;
  return { charge: { ...charge, errorPoints: charge.errorPoints + uncounted } };
}
