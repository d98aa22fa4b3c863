/**
 * What the governor allows now, and why: a value that is logged, shown and obeyed, never a side effect.
 */
import { LOG, type OpClass } from '../../model/class.ts';

/** Levels of the battery from worst to best, and `unknown`, where no fresh reading tells. */
export type PowerState = 'shutdown' | 'critical' | 'saver' | 'normal' | 'surplus' | 'unknown';

/**
 * How a class may travel: `now` opens a session at once, `budget` when energy and benefit agree, `deadline`
 * when the oldest op would otherwise come late, `ride` goes along in a session that is open anyway, `no` waits.
 */
export type Permission = 'now' | 'budget' | 'deadline' | 'ride' | 'no';

/** Why a class waits, for comparing decisions; the sentence for people is `reason`. */
export type DeferralCode =
  'battery' | 'budget' | 'deadline' | 'ride' | 'quota' | 'unknown-power' | 'shutdown';

export interface Deferral {
  readonly class: OpClass;
  readonly code: DeferralCode;
  readonly reason: string;
  /** When it will probably go (wall clock), where that can be told. */
  readonly untilMs?: number;
}

export interface Decision {
  /** Wall clock. */
  readonly at: number;
  readonly state: PowerState;
  readonly permissions: Readonly<Record<OpClass, Permission>>;
  /** Classes for which a session may be opened now, also where nothing of them waits yet. */
  readonly allowed: readonly OpClass[];
  /** Classes that may go along once a session is open; the allowed ones among them. */
  readonly riding: readonly OpClass[];
  /** Classes that have something waiting and may not open a session for it. */
  readonly deferred: readonly Deferral[];
  /** One sentence for a person on site. */
  readonly why: string;
  /** The site may be switched off to save the battery: seal, snapshot and stop cleanly. */
  readonly readyToPowerOff: boolean;
  /** In shutdown: when the hub expects to be back (wall clock). */
  readonly backAtMs?: number;
  /** The figures behind the decision, for `log --explain`. */
  readonly numbers: Readonly<Record<string, number>>;
}

/**
 * Equal for decisions that allow and refuse the same for the same kind of reason: only a change is worth a line. That the
 * log's own lines wait is none: each line would bring another one that says the same.
 */
export function decisionKey(decision: Decision): string {
  const deferred = decision.deferred
    .filter((it) => it.class !== LOG)
    .map((it) => `${it.class}:${it.code}`)
    .join(',');
  const off = decision.readyToPowerOff ? '|off' : '';
  return `${decision.state}${off}|${decision.allowed.join(',')}|${decision.riding.join(',')}|${deferred}`;
}
