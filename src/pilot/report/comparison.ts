/** The policy against plain ones, over the same weather and load, and against what it is held to. */
import { ALARM, BULK, type OpClass, RECORD, TELEMETRY } from '../../model/class.ts';
import { darkText, isMissedByAll, MISSED_BY_ALL, type Verdict } from '../judging/measures.ts';
import type { PilotOutcome } from '../outcome.ts';
import type { Evaluation, Policy } from '../world/light-model.ts';
import { escapeHtml } from './chart.ts';
import { lateRatio, percent, type Row, table } from './figures.ts';

const HEADS =
  'policy|site down|alarms late|records late|readings late|bulk late|Wh a day|sessions a day'.split(
    '|',
  );
const COMPARED: readonly OpClass[] = [ALARM, RECORD, TELEMETRY, BULK];
/** What each does, for people. */
const WORDS: Readonly<Record<Policy, string>> = {
  never: 'no sync at all',
  hourly: 'every hour, and at once for alarms and commands',
  threshold: 'as hourly, but not below 40 % of battery until it is back at 50 %',
  charging: 'as hourly, while the panel gives more than the site takes',
  'always-on': 'the link is never switched off',
  deadlines: 'knows no battery; sends only what would come late, with the fewest sessions possible',
  oracle: 'knows the weather to come',
  heliograph: 'what this program does',
};

export function comparisonWith(evaluations: readonly Evaluation[], outcome: PilotOutcome): string {
  return `<h2>Against plain policies</h2>
<p class="soft">All rows but the first: a light model of the site without faults and without programs, over the same weather and load, in which only the policy differs.</p>
${table(HEADS, [rowOfPilot(outcome), ...evaluations.map(rowOf)])}`;
}

function rowOfPilot({
  byClass,
  downRatio,
  radioWhPerDay,
  sessionsPerDay,
  scenario,
}: PilotOutcome): Row {
  const faulty = scenario.faults.size === 0 ? '' : ', with faults';
  return {
    isOurs: true,
    cells: [
      `this pilot<small>the whole program${faulty}</small>`,
      percent(downRatio),
      ...COMPARED.map((opClass) => percent(lateRatio(byClass[opClass]))),
      radioWhPerDay.toPrecision(3),
      sessionsPerDay.toFixed(1),
    ],
  };
}

function rowOf({
  policy,
  downRatio,
  lateRatio: late,
  radioWhPerDay,
  sessionsPerDay,
}: Evaluation): Row {
  return {
    isOurs: policy === 'heliograph',
    cells: [
      `${policy}<small>${WORDS[policy]}</small>`,
      percent(downRatio),
      ...COMPARED.map((opClass) => percent(late[opClass])),
      radioWhPerDay.toPrecision(3),
      sessionsPerDay.toFixed(1),
    ],
  };
}

export function verdictText({ measures, attainable }: Verdict): string {
  const items = measures.map((it) => {
    const { name, value, limit, holds, best } = it;
    const shown = (figure: number): string =>
      name.startsWith('Wh') ? figure.toPrecision(3) : percent(figure);
    const all = isMissedByAll(it) ? `; ${MISSED_BY_ALL}: ${shown(best)} at best` : '';
    return `<li class="${holds ? 'good' : 'bad'}">${name} ${shown(value)}, at most ${shown(limit)}${all}</li>`;
  });
  const dark = measures.every(({ holds }) => holds) ? undefined : darkText(attainable);
  const why = dark === undefined ? '' : `<p class="soft">It was dark: ${escapeHtml(dark)}</p>`;
  return `<p class="soft">What <i>heliograph</i> is held to, against <i>never</i>, <i>hourly</i> and <i>oracle</i>:</p><ul class="verdicts">${items.join('')}</ul>${why}`;
}
