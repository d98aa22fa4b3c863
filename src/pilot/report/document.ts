/**
 * The pilot's report: one HTML file with everything inside, made for somebody who has to decide whether the hub
 * may be trusted with a site. The promise first, then the figures against plain policies, then the month itself.
 */
import { isoTime } from '../../base/iso-time.ts';
import { CLASS_NAMES, type LOG, type OpClass } from '../../model/class.ts';
import { DEADLINES_MS } from '../../power/backlog.ts';
import type { ContractUse } from '../world/contract.ts';
import type { Evaluation } from '../world/light-model.ts';
import { darkText, isMissedByAll, MISSED_BY_ALL, type Verdict } from '../judging/measures.ts';
import type { ClassFigures } from '../judging/books.ts';
import type { PilotOutcome } from '../outcome.ts';
import { replayOf } from '../replay.ts';
import { escapeHtml } from './chart.ts';
import { deliveryChart } from './delivery-chart.ts';
import { HOVER_SCRIPT } from './hover-script.ts';
import { storyData, storySvg } from './story.ts';
import { CLASS_COLOURS, STATE_COLOURS, STYLE } from './style.ts';

const HOUR_MS = 3_600_000;
const MIB = 1 << 20;

export function reportHtml(
  outcome: PilotOutcome,
  comparison: readonly Evaluation[],
  verdict?: Verdict,
): string {
  const { scenario } = outcome;
  const title = `Heliograph pilot: ${scenario.preset.name}, ${counted(scenario.days, 'day')}, ${scenario.weather}`;
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body><main>`,
    head(outcome),
    tiles(outcome),
    story(outcome),
    delivery(outcome),
    comparison.length === 0 ? '' : policies(outcome, comparison) + verdicts(verdict),
    contract(outcome),
    brownouts(outcome),
    faults(outcome),
    `<script type="application/json" id="data">${jsonInside(storyData(outcome))}</script>`,
    `<script type="module">${HOVER_SCRIPT}</script>`,
    '</main></body></html>\n',
  ].join('\n');
}

/** JSON that no parser of HTML takes for the end of its script. */
function jsonInside(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

function head({ scenario, digest, acknowledged, restarts }: PilotOutcome): string {
  const { preset, days, devices, weather } = scenario;
  const kinds = [...scenario.faults].join(', ') || 'none';
  return `<h1>${counted(days, 'day')} in the field, ${escapeHtml(preset.name)}</h1>
<p class="soft">${preset.panelWatts} W panel, ${preset.capacityWh} Wh battery, ${preset.baseWatts} W of hub and devices, ${counted(devices, 'device')}; weather: ${escapeHtml(weather)}; faults: ${escapeHtml(kinds)}</p>
<p><b>Nothing that was acknowledged is missing.</b> ${count(acknowledged)} ops were acknowledged, the hub was started ${counted(restarts + 1, 'time')}, and in the end both sides hold the same state: <code>${digest.slice(0, 16)}…</code></p>
<p class="soft">The same month again: <code>${escapeHtml(replayOf(scenario))}</code></p>`;
}

function tiles(outcome: PilotOutcome): string {
  const { byClass, downRatio, radioWhPerDay, sessionsPerDay, radioBytes, scenario } = outcome;
  const fullest = outcome.contract.toSorted((a, b) => usedRatio(b) - usedRatio(a))[0];
  const part =
    fullest?.bytesMax === undefined ? '' : `; ${percent(usedRatio(fullest))} of a month's contract`;
  const shown: readonly (readonly [value: string, label: string])[] = [
    [percent(1 - downRatio), 'of the time with power'],
    lateTile(byClass[0], 'alarms late (15 min)'),
    lateTile(byClass[2], 'records late (6 h)'),
    lateTile(byClass[3], 'readings late (24 h)'),
    [`${radioWhPerDay.toPrecision(2)} Wh`, 'for sync, a day'],
    [sessionsPerDay.toFixed(1), 'sessions a day'],
    [`${(radioBytes / scenario.days / 1e6).toFixed(2)} MB`, `over the link, a day${part}`],
  ];
  const items = shown.map(
    ([value, label]) => `<div class="tile"><b>${value}</b><span>${label}</span></div>`,
  );
  return `<div class="tiles">${items.join('')}</div>`;
}

/** What no hub could have helped stands beside, not in the figure. */
function lateTile({ born, late, lateAway }: ClassFigures, label: string): [string, string] {
  const away =
    lateAway === 0
      ? ''
      : `; ${percent(late / born)} with what fell due while the region was out of reach`;
  return [percent((late - lateAway) / Math.max(1, born)), `of ${label}${away}`];
}

function story(outcome: PilotOutcome): string {
  const legend = (items: readonly (readonly [string, string])[]): string =>
    items.map(([name, colour]) => `<span style="--c:${colour}">${name}</span>`).join('');
  const classes = CLASS_COLOURS.map((colour, index) => [CLASS_NAMES[index] ?? '', colour] as const);
  const states = Object.entries(STATE_COLOURS);
  return `<h2>The month</h2><div class="chart">${storySvg(outcome)}<div id="tip"></div></div>
<div class="legend">${legend(classes)}</div><div class="legend">${legend(states)}<span style="--c:var(--radio)">session</span></div>`;
}

function delivery({ byClass, books, recorder }: PilotOutcome): string {
  const { awayMs } = recorder;
  const away =
    awayMs === 0
      ? ''
      : ` For ${hours(awayMs / HOUR_MS)} the region or the link to it was away, as the faults would have it: what fell due meanwhile counts as away.`;
  const rows = ([0, 1, 2, 3, 4, 5] as const).map((opClass) => {
    const { born, stored, late, lateAway, medianHours, p95Hours, worstHours } = byClass[opClass];
    const cells = [
      CLASS_NAMES[opClass],
      count(born),
      count(stored),
      hours(medianHours),
      hours(p95Hours),
      hours(worstHours),
      hours(DEADLINES_MS[opClass] / HOUR_MS),
      born === 0 ? '–' : percent(late / born),
      born === 0 ? '–' : percent(lateAway / born),
      bar(opClass, medianHours, p95Hours),
    ];
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const names = [
    'class',
    'born',
    'stored',
    'median',
    '95 %',
    'worst',
    'deadline',
    'late',
    'of these away',
    '',
  ];
  const heads = names.map((name) => `<th>${name}</th>`).join('');
  return `<h2>From birth to storage upstream</h2><div class="chart">${deliveryChart(books)}</div><p class="soft">A dot is the deadline of its class: what stands above it came late. What never came has no place here; it counts in the table.</p><div class="scroll"><table><tr>${heads}</tr>${rows.join('')}</table></div>
<p class="soft">The bar runs from nothing to twice the deadline, whose place is the tick: dark up to the median, light up to 95 %.${away}</p>`;
}

/** Median and 95 % over the deadline, as a small bar. */
function bar(opClass: Exclude<OpClass, typeof LOG>, medianHours: number, p95Hours: number): string {
  const width = 180;
  const scale = (value: number): number =>
    Math.min(width, (value / (2 * (DEADLINES_MS[opClass] / HOUR_MS))) * width);
  const colour = CLASS_COLOURS[opClass];
  return `<svg viewBox="0 0 ${width} 14" style="width:${width}px" aria-hidden="true"><rect width="${width}" height="14" fill="var(--rule)" fill-opacity="0.5"/><rect width="${scale(p95Hours).toFixed(1)}" height="14" fill="${colour}" fill-opacity="0.4"/><rect width="${scale(medianHours).toFixed(1)}" height="14" fill="${colour}"/><line x1="${width / 2}" x2="${width / 2}" y2="14" stroke="var(--ink)"/></svg>`;
}

function policies(outcome: PilotOutcome, comparison: readonly Evaluation[]): string {
  const names = [
    'policy',
    'site down',
    'alarms late',
    'records late',
    'readings late',
    'bulk late',
  ];
  const heads = [...names, 'Wh a day', 'sessions a day'].map((name) => `<th>${name}</th>`).join('');
  const row = (name: string, isOurs: boolean, values: readonly string[]): string =>
    `<tr${isOurs ? ' class="ours"' : ''}><td>${name}</td>${values.map((value) => `<td>${value}</td>`).join('')}</tr>`;
  const { byClass } = outcome;
  const faulty = outcome.scenario.faults.size === 0 ? '' : ', with faults';
  const full = row(`this pilot, the whole program${faulty}`, true, [
    percent(outcome.downRatio),
    ...[0, 2, 3, 5].map((opClass) => percent(lateRatio(byClass[opClass as OpClass]))),
    outcome.radioWhPerDay.toPrecision(3),
    outcome.sessionsPerDay.toFixed(1),
  ]);
  const rows = comparison.map((it) =>
    row(it.policy, it.policy === 'heliograph', [
      percent(it.downRatio),
      ...([0, 2, 3, 5] as const).map((opClass) => percent(it.lateRatio[opClass])),
      it.radioWhPerDay.toPrecision(3),
      it.sessionsPerDay.toFixed(1),
    ]),
  );
  return `<h2>Against plain policies</h2>
<p class="soft">All rows but the first: a light model of the site without faults and without programs, over the same weather and load, in which only the policy differs. The oracle knows the weather to come; <i>deadlines</i> knows no battery and sends only what would come late, with the fewest sessions possible.</p>
<div class="scroll"><table><tr>${heads}</tr>${full}${rows.join('')}</table></div>`;
}

function verdicts(verdict: Verdict | undefined): string {
  if (verdict === undefined) return '';
  const { measures, attainable } = verdict;
  const items = measures.map((it) => {
    const { name, value, limit, holds, best } = it;
    const shown = (figure: number): string =>
      name.startsWith('Wh') ? figure.toPrecision(3) : percent(figure);
    const all = isMissedByAll(it) ? `; ${MISSED_BY_ALL}: ${shown(best)} at best` : '';
    return `<li class="${holds ? 'good' : 'bad'}">${name} ${shown(value)}, at most ${shown(limit)}${all}</li>`;
  });
  const dark = measures.every(({ holds }) => holds) ? undefined : darkText(attainable);
  const why = dark === undefined ? '' : `<p class="soft">It was dark: ${escapeHtml(dark)}</p>`;
  return `<ul class="verdicts">${items.join('')}</ul>${why}`;
}

/** What went over the link in each calendar month, where somebody pays for it by the byte. */
function contract({ contract: uses, scenario }: PilotOutcome): string {
  if (scenario.quotaMib === undefined && !scenario.faults.has('metered')) return '';
  const rows = uses.map((use) => {
    const { month, link, bytes, bytesMax } = use;
    const cells = [month, link, `${(bytes / MIB).toFixed(1)} MiB`];
    const limit = bytesMax === undefined ? '–' : `${(bytesMax / MIB).toFixed(0)} MiB`;
    const part = bytesMax === undefined ? '–' : percent(usedRatio(use));
    return `<tr>${[...cells, limit, part].map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const heads = ['month', 'link', 'carried', 'contract', 'used'].map((name) => `<th>${name}</th>`);
  const rule =
    scenario.quotaMib === undefined
      ? ''
      : ' Previews and files end at 80 % of a contract, readings at all of it; alarms, commands and records go on.';
  return `<h2>Bytes that are paid for</h2><p class="soft">By calendar month, as the one counts who sends the bill; what is metered counts as cellular.${rule}</p><div class="scroll"><table><tr>${heads.join('')}</tr>${rows.join('')}</table></div>`;
}

function usedRatio({ bytes, bytesMax }: ContractUse): number {
  return bytesMax === undefined ? 0 : bytes / bytesMax;
}

/** When the battery had cut off, and what the hub believed that sync took. */
function brownouts({ recorder, radioWhPerDay, believedWhPerDay }: PilotOutcome): string {
  const items = recorder.brownouts.map(({ fromMs, toMs }) => {
    const at = isoTime(fromMs).slice(5, 16).replace('T', ' ');
    return `<li>${at} for ${hours((toMs - fromMs) / HOUR_MS)}</li>`;
  });
  const list = items.length === 0 ? '<p>None.</p>' : `<ul class="faults">${items.join('')}</ul>`;
  return `<h2>Without power</h2>${list}
<h2>Energy: believed and spent</h2><p>The hub's own books say ${believedWhPerDay.toPrecision(3)} Wh a day for sync; the link really took ${radioWhPerDay.toPrecision(3)} Wh. Attempts that came to nothing and sessions that a power cut ended are in the second figure only.</p>`;
}

function faults({ recorder }: PilotOutcome): string {
  if (recorder.faults.length === 0) return '';
  const items = recorder.faults.map(
    ({ fromMs, text }) =>
      `<li>${isoTime(fromMs).slice(5, 16).replace('T', ' ')} ${escapeHtml(text)}</li>`,
  );
  return `<h2>What went wrong</h2><ul class="faults">${items.join('')}</ul>`;
}

function lateRatio({ born, late }: { readonly born: number; readonly late: number }): number {
  return born === 0 ? 0 : late / born;
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(1)} %`;
}

function count(value: number): string {
  return value.toLocaleString('en').replaceAll(',', '\u202f');
}

function counted(value: number, thing: string): string {
  return `${count(value)} ${thing}${value === 1 ? '' : 's'}`;
}

function hours(value: number): string {
  if (value < 1) return `${Math.round(60 * value)} min`;
  return value < 48 ? `${value.toFixed(1)} h` : `${(value / 24).toFixed(1)} d`;
}
