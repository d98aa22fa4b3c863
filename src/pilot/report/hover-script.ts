/** The report's own script: what was measured and decided at the moment under the pointer. Its data and the script go together. */
import { CLASS_NAMES } from '../../model/class.ts';
import type { PilotOutcome } from '../outcome.ts';
import { DAY_MS } from '../scenario.ts';
import { LEFT, RIGHT, WIDTH } from './chart.ts';
import { SHOWN_CLASSES } from './figures.ts';

/** What the script reads, by place: samples as time, charge, sun, load, state, ops of each class; lines as time, event, why. */
export function hoverData({ recorder, scenario }: PilotOutcome): unknown {
  const { startMs: from, days } = scenario;
  const to = from + days * DAY_MS;
  const round = (value: number): number => Number(value.toFixed(1));
  return {
    from,
    to,
    left: LEFT,
    right: RIGHT,
    width: WIDTH,
    names: SHOWN_CLASSES.map((it) => CLASS_NAMES[it]),
    samples: recorder.samples.map(({ atMs, socPct, pvW, loadW, state, backlog }) => {
      const ops = SHOWN_CLASSES.map((it) => backlog[it] ?? 0);
      return [atMs, round(socPct), round(pvW), round(loadW), state, ...ops];
    }),
    lines: recorder.lines
      .filter(({ atMs, event }) => atMs <= to && !event.startsWith('batch'))
      .map(({ atMs, event, why }) => [Math.round(atMs), event, why]),
    faults: recorder.faults.map(({ fromMs, toMs, text }) => [fromMs, toMs, text]),
  };
}

export const HOVER_SCRIPT = `
const { from, to, left, right, width, samples, lines, faults, names } = JSON.parse(document.getElementById('data').textContent);
const svg = document.getElementById('story'), tip = document.getElementById('tip'), cross = document.getElementById('cross');
const last = (list, at, test) => { let low = 0, high = list.length; while (low < high) { const mid = (low + high) >> 1; if (list[mid][0] <= at) low = mid + 1; else high = mid; }
  for (let i = low - 1; i >= 0; i--) if (!test || test(list[i])) return list[i]; return undefined; };
const ago = (ms) => ms < 5400000 ? Math.round(ms / 60000) + ' min' : ms < 172800000 ? Math.round(ms / 3600000) + ' h' : Math.round(ms / 86400000) + ' days';
const text = (tag, words) => { const it = document.createElement(tag); it.textContent = words; return it; };
const show = (event) => {
  const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) * width / box.width;
  const at = from + (to - from) * (x - left) / (width - left - right);
  if (at < from || at > to) return hide();
  const [, soc, pv, load, state, ...backlog] = last(samples, at) ?? samples[0];
  const decided = last(lines, at, (it) => it[1] === 'decision' || it[1] === 'state');
  const session = last(lines, at, (it) => it[1].startsWith('session'));
  const waiting = backlog.map((ops, index) => ops > 0 ? names[index] + ' ' + ops : '').filter(Boolean).join(', ') || 'nothing';
  tip.replaceChildren(text('b', new Date(at).toISOString().slice(0, 16).replace('T', ' ') + ' UTC'), document.createElement('br'),
    text('span', soc + ' % · ' + state + ' · sun ' + pv + ' W · load ' + load + ' W'), document.createElement('br'), text('i', 'waits: ' + waiting));
  if (decided) tip.append(document.createElement('br'), text('span', decided[2]));
  if (session) tip.append(document.createElement('br'), text('i', session[1] === 'session.open' ? 'a session is open' : 'last session, ' + ago(at - session[0]) + ' ago: ' + session[2]));
  for (const fault of faults) if (fault[0] <= at && at < fault[1]) tip.append(document.createElement('br'), text('b', fault[2]));
  cross.setAttribute('x1', x); cross.setAttribute('x2', x); cross.style.display = '';
  tip.style.display = 'block';
  const place = event.clientX - box.left, room = svg.parentElement, first = room.scrollLeft + 4;
  const beside = place > box.width - 330 ? place - 312 : place + 16;
  tip.style.left = Math.max(first, Math.min(beside, first + room.clientWidth - tip.offsetWidth - 8)) + 'px';
  tip.style.top = Math.max(0, event.clientY - box.top - 20) + 'px';
};
const hide = () => { tip.style.display = 'none'; cross.style.display = 'none'; };
for (const name of ['pointermove', 'pointerdown']) svg.addEventListener(name, show);
svg.addEventListener('pointerleave', (event) => { if (event.pointerType === 'mouse') hide(); });
`;
