/** The days as one drawing: battery, sun and load, sync energy, backlog, decisions, all over the same days. */
import { presetThresholds } from '../world/light-model.ts';
import type { PilotOutcome } from '../outcome.ts';
import type { Sample } from '../recorder.ts';
import { DAY_MS } from '../scenario.ts';
import {
  area,
  band,
  days,
  frame,
  LEFT,
  line,
  type Panel,
  type Point,
  type Range,
  RIGHT,
  WIDTH,
  xOf,
  yOf,
} from './chart.ts';
import { CLASS_COLOURS, STATE_COLOURS } from './style.ts';

const BATTERY = { top: 30, height: 150, y: { from: 0, to: 100 } };
const SUN_TOP = 220;
const RADIO_TOP = 350;
const BACKLOG_TOP = 450;
const DECISIONS = { top: 600, height: 22 };
const SESSIONS = { top: 628, height: 14 };
const TROUBLES = { top: 648, height: 10 };
const HEIGHT = 690;

export function storySvg({ recorder, scenario }: PilotOutcome): string {
  const { samples, brownouts } = recorder;
  const time = { from: scenario.startMs, to: scenario.startMs + scenario.days * DAY_MS };
  const dark = brownouts.map(({ fromMs, toMs }) =>
    band({ from: fromMs, to: toMs }, time, { top: 30, height: 540 }, 'class="brownout"'),
  );
  return [
    `<svg id="story" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Battery, sun, energy for sync, backlog and decisions, day by day">`,
    days(time, BATTERY.top, TROUBLES.top + TROUBLES.height),
    dark.join(''),
    battery(samples, time, presetThresholds(scenario.preset).percent.alarmsStop),
    sun(samples, time),
    radio(samples, time),
    backlog(samples, time),
    decisions(recorder, time),
    `<line id="cross" y1="${BATTERY.top}" y2="${TROUBLES.top + TROUBLES.height}" style="display:none"/>`,
    '</svg>',
  ].join('');
}

function pointsOf(samples: readonly Sample[], value: (sample: Sample) => number): Point[] {
  return samples.map((sample) => ({ atMs: sample.atMs, value: value(sample) }));
}

function battery(samples: readonly Sample[], time: Range, reservePct: number): string {
  const ticks = [0, 25, 50, 75, 100].map((value) => ({ value, label: `${value} %` }));
  const points = pointsOf(samples, ({ socPct }) => socPct);
  const reserve = yOf(reservePct, BATTERY);
  return [
    frame(BATTERY, 'Battery', ticks),
    area(points, time, BATTERY, 'var(--battery)'),
    line(points, time, BATTERY, 'var(--battery)'),
    `<line class="reserve" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${reserve}" y2="${reserve}"/>`,
    `<text x="${WIDTH - RIGHT - 4}" y="${reserve - 4}" text-anchor="end">reserve</text>`,
  ].join('');
}

function sun(samples: readonly Sample[], time: Range): string {
  const top = Math.max(5, ...samples.map(({ pvW, loadW }) => Math.max(pvW, Math.min(loadW, 40))));
  const panel = { top: SUN_TOP, height: 100, y: { from: 0, to: top } };
  const ticks = [0, top / 2, top].map((value) => ({ value, label: `${value.toFixed(0)} W` }));
  const pv = pointsOf(samples, ({ pvW }) => pvW);
  return [
    frame(panel, 'Sun on the panel, and load', ticks),
    area(pv, time, panel, 'var(--pv)'),
    line(pv, time, panel, 'var(--pv)'),
    line(
      pointsOf(samples, ({ loadW }) => loadW),
      time,
      panel,
      'var(--load)',
    ),
  ].join('');
}

/** Wh of each day as a bar. */
function radio(samples: readonly Sample[], time: Range): string {
  const count = Math.round((time.to - time.from) / DAY_MS);
  const perDay = Array.from({ length: count }, (_, day) => {
    const from = time.from + day * DAY_MS;
    const inside = samples.filter(({ atMs }) => atMs > from && atMs <= from + DAY_MS);
    const before = samples.findLast(({ atMs }) => atMs <= from)?.radioWh ?? 0;
    return (inside.at(-1)?.radioWh ?? before) - before;
  });
  const top = Math.max(0.1, ...perDay);
  const panel: Panel = { top: RADIO_TOP, height: 70, y: { from: 0, to: top } };
  const ticks = [0, top].map((value) => ({ value, label: `${value.toPrecision(2)} Wh` }));
  const bars = perDay.map((wh, day) => {
    const x = xOf(time.from + (day + 0.15) * DAY_MS, time);
    const width = xOf(time.from + 0.7 * DAY_MS, time) - LEFT;
    const y = yOf(wh, panel);
    return `<rect fill="var(--radio)" x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${(panel.top + panel.height - y).toFixed(1)}"/>`;
  });
  return frame(panel, 'Energy for sync, a day', ticks) + bars.join('');
}

/** Ops that wait, on a logarithmic scale: one alarm and ten thousand readings fit one picture. */
function backlog(samples: readonly Sample[], time: Range): string {
  const most = Math.max(10, ...samples.flatMap((sample) => sample.backlog.slice(0, 6)));
  const decades = Math.ceil(Math.log10(most));
  const panel = { top: BACKLOG_TOP, height: 120, y: { from: 0, to: decades } };
  const scaled = (ops: number): number => (ops <= 0 ? 0 : Math.log10(ops) + 0.15);
  const ticks = Array.from({ length: decades + 1 }, (_, power) => ({
    value: power,
    label: power < 4 ? String(10 ** power) : `${10 ** (power - 3)}k`,
  }));
  const lines = CLASS_COLOURS.map((colour, opClass) =>
    line(
      pointsOf(samples, (sample) => scaled(sample.backlog[opClass] ?? 0)),
      time,
      panel,
      colour,
    ),
  );
  return frame(panel, 'What waits for a receipt, in ops', ticks) + lines.join('');
}

/** The power state as a strip, sessions below it, faults below them. */
function decisions({ samples, lines, faults }: PilotOutcome['recorder'], time: Range): string {
  const spans: { state: string; from: number; to: number }[] = [];
  for (const { atMs, state } of samples) {
    const open = spans.at(-1);
    if (open?.state === state) open.to = atMs;
    else spans.push({ state, from: open?.to ?? time.from, to: atMs });
  }
  const strip = spans.map(({ state, from, to }) =>
    band({ from, to }, time, DECISIONS, `fill="${STATE_COLOURS[state] ?? 'var(--unknown)'}"`),
  );
  const opened = lines.filter(({ event }) => event === 'session.open');
  const sessions = opened.map(({ atMs }) =>
    band({ from: atMs, to: atMs }, time, SESSIONS, 'fill="var(--radio)"'),
  );
  const troubles = faults.map(({ fromMs, toMs }) =>
    band({ from: fromMs, to: toMs }, time, TROUBLES, 'class="trouble"'),
  );
  const label = (text: string, top: number): string =>
    `<text class="tick" x="${LEFT - 8}" y="${top}" text-anchor="end" dominant-baseline="middle">${text}</text>`;
  return [
    `<text class="title" x="${LEFT}" y="${DECISIONS.top - 8}">Decisions: point anywhere to read why</text>`,
    ...strip,
    ...sessions,
    ...troubles,
    label('state', DECISIONS.top + 11),
    label('sessions', SESSIONS.top + 7),
    label('faults', TROUBLES.top + 5),
  ].join('');
}
