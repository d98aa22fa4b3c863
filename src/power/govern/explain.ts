/**
 * One sentence for the person on site: who waits and why, when that will end, who goes.
 * "files wait: battery 41 % below 55 %, sun enough at 10:40; alarms go".
 */
import { durationText } from '../../base/duration.ts';
import { LOG, type OpClass } from '../../model/class.ts';
import type { Deferral, DeferralCode, PowerState } from './decision.ts';

const WORDS: Readonly<Record<OpClass, string>> = {
  0: 'alarms',
  1: 'commands',
  2: 'records',
  3: 'readings',
  4: 'previews',
  5: 'files',
  6: 'log lines',
};

/** What is said where nothing waits: the state of power rules, or a person on site. */
export type Rule = PowerState | 'by hand';

const ALL_GO: Readonly<Record<Rule, string>> = {
  'by hand': 'everything goes',
  surplus: 'everything goes: there is more sun than the battery can take',
  normal: 'nothing waits for energy',
  saver: 'alarms and commands go at once, the rest shortly before it is due',
  critical: 'alarms and commands go, the rest waits as long as it may: the battery is nearly empty',
  shutdown: 'nothing goes: what is left in the battery keeps the site alive',
  unknown: 'too few fresh readings of the battery: alarms and commands go, the rest is careful',
};

/** What waits for these ends when the sun has filled the battery so far. */
const SUN_CODES: ReadonlySet<DeferralCode> = new Set(['battery', 'ride', 'shutdown']);

/** A later moment this far away is told with its distance: its hour alone might be today's or tomorrow's. */
const FAR_MS = 12 * 3_600_000;

export function momentText(
  untilMs: number,
  nowMs: number,
  timeOf: (wallMs: number) => string,
): string {
  const awayMs = untilMs - nowMs;
  const away = awayMs < FAR_MS ? '' : ` (in ${durationText(awayMs / 1_000)})`;
  return `${timeOf(untilMs)}${away}`;
}

export function sentenceOf(
  rule: Rule,
  allowed: readonly OpClass[],
  deferred: readonly Deferral[],
  level: string | undefined,
  momentOf: (untilMs: number) => string,
): string {
  const known = level === undefined ? '' : ` (${level})`;
  // The log only rides along: that its lines wait is no news to anybody.
  const waiting = deferred.filter((it) => it.class !== LOG);
  // At the reserve nothing goes, whatever the state or a person says.
  if (waiting.length === 0) return `${ALL_GO[allowed.length === 0 ? 'shutdown' : rule]}${known}`;
  const waits = grouped(waiting).map(({ reason, classes, code, untilMs }) => {
    const word = SUN_CODES.has(code) ? 'sun enough at' : 'until';
    const until = untilMs === undefined ? '' : `, ${word} ${momentOf(untilMs)}`;
    return `${listed(classes.map((it) => WORDS[it]))} wait: ${reason}${until}`;
  });
  const going =
    allowed.length === 0 ? 'nothing goes' : `${listed(allowed.map((it) => WORDS[it]))} go`;
  return [...waits, going].join('; ');
}

interface Group {
  readonly reason: string;
  readonly code: DeferralCode;
  readonly classes: OpClass[];
  untilMs: number | undefined;
}

/** Classes that wait for the same reason, with the earliest end. */
function grouped(deferred: readonly Deferral[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { reason, code, class: opClass, untilMs } of deferred) {
    const group = groups.get(reason) ?? { reason, code, classes: [], untilMs: undefined };
    group.classes.push(opClass);
    if (untilMs !== undefined) group.untilMs = Math.min(group.untilMs ?? Infinity, untilMs);
    groups.set(reason, group);
  }
  return [...groups.values()];
}

function listed(words: readonly string[]): string {
  if (words.length <= 1) return words.join('');
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1) as string}`;
}
