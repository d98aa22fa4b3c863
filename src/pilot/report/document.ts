/**
 * The pilot's report: one HTML file with everything inside, made for somebody who has to decide whether the hub
 * may be trusted with a site. The promise first, then the figures, the days themselves, and what plain policies would have done.
 */
import { isoTime } from '../../base/iso-time.ts';
import { ALARM, CLASS_NAMES, RECORD, TELEMETRY } from '../../model/class.ts';
import type { ClassFigures } from '../judging/books.ts';
import type { Verdict } from '../judging/measures.ts';
import { journalMibMax } from '../lives/hub-life.ts';
import type { PilotOutcome } from '../outcome.ts';
import { replayOf } from '../replay.ts';
import { HOUR_MS } from '../scenario.ts';
import type { ContractUse } from '../world/contract.ts';
import type { Evaluation } from '../world/light-model.ts';
import { escapeHtml } from './chart.ts';
import { comparisonWith, verdictText } from './comparison.ts';
import { delivery } from './delivery.ts';
import { count, counted, hours, lateRatio, percent, SHOWN_CLASSES, table } from './figures.ts';
import { HOVER_SCRIPT, hoverData } from './hover-script.ts';
import { storySvg } from './story.ts';
import { CLASS_COLOURS, STATE_COLOURS, STYLE } from './style.ts';

const MIB = 1 << 20;

export function reportHtml(
  outcome: PilotOutcome,
  comparison: readonly Evaluation[],
  verdict?: Verdict,
): string {
  const { scenario } = outcome;
  const title = `Heliograph pilot: ${scenario.preset.name}, ${counted(scenario.days, 'day')}, ${weatherOf(outcome)}`;
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body><main>`,
    head(outcome),
    tiles(outcome),
    story(outcome),
    delivery(outcome),
    comparison.length === 0 ? '' : comparisonWith(comparison, outcome),
    verdict === undefined ? '' : verdictText(verdict),
    contract(outcome),
    brownouts(outcome),
    energy(outcome),
    faults(outcome),
    `<script type="application/json" id="data">${jsonInside(hoverData(outcome))}</script>`,
    `<script type="module">${HOVER_SCRIPT}</script>`,
    '</main></body></html>\n',
  ].join('\n');
}

/** JSON that no parser of HTML takes for the end of its script. */
function jsonInside(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** A trace by its name, without where it lies on the machine of whoever ran the pilot. */
function weatherOf({ scenario: { weather } }: PilotOutcome): string {
  return weather.split('/').at(-1) ?? weather;
}

function head(outcome: PilotOutcome): string {
  const { scenario, digest, acknowledged, restarts, byClass } = outcome;
  const { preset, days, devices } = scenario;
  const kinds = [...scenario.faults].join(', ') || 'none';
  const waiting = SHOWN_CLASSES.reduce<number>((sum, it) => sum + byClass[it].waiting, 0);
  const later =
    waiting === 0
      ? ''
      : ` ${counted(waiting, 'op')} still waited for the region when the last day was over, and went afterwards.`;
  const untaken = SHOWN_CLASSES.reduce<number>(
    (sum, it) => sum + byClass[it].born - byClass[it].acknowledged,
    0,
  );
  const refused =
    untaken === 0
      ? ''
      : ` ${counted(untaken, 'op')} had no acknowledgement by then: the hub was off, or its journal full, which holds ${journalMibMax(scenario)} MiB here and 4 GiB on a site where nobody says otherwise. They count as late.`;
  return `<h1>${counted(days, 'day')} in the field, ${escapeHtml(preset.name)}</h1>
<p class="soft">${preset.panelWatts} W panel, ${preset.capacityWh} Wh battery, ${preset.baseWatts} W of hub and devices, ${counted(devices, 'device')}; weather: ${escapeHtml(weatherOf(outcome))}; faults: ${escapeHtml(kinds)}</p>
<p><b>Nothing that was acknowledged is missing.</b> ${count(acknowledged)} ops were acknowledged, the hub was started ${counted(restarts + 1, 'time')}, and in the end both sides hold the same state: <code>${digest.slice(0, 16)}…</code>${later}${refused}</p>
<p class="soft">The same days again: <code>${escapeHtml(replayOf(scenario))}</code></p>`;
}

function tiles(outcome: PilotOutcome): string {
  const { byClass, downRatio, radioWhPerDay, sessionsPerDay, radioBytes, scenario } = outcome;
  const fullest = outcome.contract.toSorted((a, b) => usedRatio(b) - usedRatio(a))[0];
  const part =
    fullest?.bytesMax === undefined ? '' : `; ${percent(usedRatio(fullest))} of a month's contract`;
  const shown: readonly (readonly [value: string, label: string])[] = [
    [percent(1 - downRatio), 'of the time the battery carried the site'],
    lateTile(byClass[ALARM], 'alarms late (15 min)'),
    lateTile(byClass[RECORD], 'records late (6 h)'),
    lateTile(byClass[TELEMETRY], 'readings late (24 h)'),
    [`${radioWhPerDay.toPrecision(2)} Wh`, 'for sync, a day'],
    [sessionsPerDay.toFixed(1), 'sessions a day'],
    [`${(radioBytes / scenario.days / MIB).toFixed(2)} MiB`, `over the link, a day${part}`],
  ];
  const items = shown.map(
    ([value, label]) => `<div class="tile"><b>${value}</b><span>${label}</span></div>`,
  );
  return `<div class="tiles">${items.join('')}</div>`;
}

/** What no hub could have helped stands beside, not in the figure. */
function lateTile(figures: ClassFigures, label: string): [string, string] {
  const { born, late, lateAway } = figures;
  const away =
    lateAway === 0
      ? ''
      : `; ${percent(lateRatio(figures))} with what fell due while the region was out of reach`;
  return [percent(lateRatio({ born, late: late - lateAway })), `of ${label}${away}`];
}

function story(outcome: PilotOutcome): string {
  const legend = (items: readonly (readonly [string, string])[]): string =>
    items.map(([name, colour]) => `<span style="--c:${colour}">${name}</span>`).join('');
  const classes = SHOWN_CLASSES.map((it) => [CLASS_NAMES[it], CLASS_COLOURS[it]] as const);
  const states = Object.entries(STATE_COLOURS);
  return `<h2>Day by day</h2><div class="chart">${storySvg(outcome)}<div id="tip"></div></div>
<div class="legend">${legend(classes)}</div><div class="legend">${legend(states)}<span style="--c:var(--radio)">session</span></div>
<p class="soft">Times are UTC, and true, whatever the hub took for the time.</p>`;
}

/** What went over the link in each calendar month, where somebody pays for it by the byte. */
function contract({ contract: uses, scenario }: PilotOutcome): string {
  if (scenario.quotaMib === undefined && !scenario.faults.has('metered')) return '';
  const rows = uses.map((use) => {
    const { month, link, bytes, bytesMax } = use;
    const limit = bytesMax === undefined ? '–' : `${(bytesMax / MIB).toFixed(0)} MiB`;
    const part = bytesMax === undefined ? '–' : percent(usedRatio(use));
    return { cells: [month, link, `${(bytes / MIB).toFixed(1)} MiB`, limit, part] };
  });
  const rule =
    scenario.quotaMib === undefined
      ? ''
      : ' Previews and files end at 80 % of a contract, readings at all of it; alarms, commands and records go on.';
  return `<h2>Bytes that are paid for</h2><p class="soft">By calendar month, as the one counts who sends the bill; what is metered counts as cellular.${rule}</p>
${table(['month', 'link', 'carried', 'contract', 'used'], rows)}`;
}

function usedRatio({ bytes, bytesMax }: ContractUse): number {
  return bytesMax === undefined ? 0 : bytes / bytesMax;
}

/** When the battery had cut off. */
function brownouts({ recorder, scenario }: PilotOutcome): string {
  const items = recorder.brownouts.map(
    ({ fromMs, toMs }) => `<li>${timeOf(fromMs)} for ${hours((toMs - fromMs) / HOUR_MS)}</li>`,
  );
  const list = items.length === 0 ? '<p>Never.</p>' : `<ul class="faults">${items.join('')}</ul>`;
  const plug = scenario.faults.has('power-cut')
    ? '<p class="soft">A power cut among the faults is a plug that somebody pulled: the battery was not empty.</p>'
    : '';
  return `<h2>When the battery was empty</h2>${list}${plug}`;
}

function energy({ radioWhPerDay, believedWhPerDay }: PilotOutcome): string {
  return `<h2>Energy: believed and spent</h2><p>The hub's own books say ${believedWhPerDay.toPrecision(3)} Wh a day for sync; the link really took ${radioWhPerDay.toPrecision(3)} Wh. Attempts that came to nothing and sessions that a power cut ended are in the second figure only.</p>`;
}

function faults({ recorder }: PilotOutcome): string {
  if (recorder.faults.length === 0) return '';
  const items = recorder.faults.map(
    ({ fromMs, text }) => `<li>${timeOf(fromMs)} ${escapeHtml(text)}</li>`,
  );
  return `<h2>What went wrong</h2><ul class="faults">${items.join('')}</ul>`;
}

/** `02-26 09:22`. */
function timeOf(atMs: number): string {
  return isoTime(atMs).slice(5, 16).replace('T', ' ');
}
