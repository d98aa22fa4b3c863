/** From birth to storage upstream, class by class: the curve of each, and the figures. */
import { CLASS_NAMES, TELEMETRY } from '../../model/class.ts';
import { DEADLINES_MS } from '../../power/backlog.ts';
import type { PilotOutcome } from '../outcome.ts';
import { HOUR_MS } from '../scenario.ts';
import { deliveryChart } from './delivery-chart.ts';
import {
  count,
  hours,
  lateRatio,
  percent,
  type Row,
  SHOWN_CLASSES,
  type ShownClass,
  table,
} from './figures.ts';
import { CLASS_COLOURS } from './style.ts';

const HEADS =
  'class|born|not taken|stored|waiting|median|95 %|worst|deadline|late|late while away|'.split('|');
const BAR_WIDTH = 180;

export function delivery(outcome: PilotOutcome): string {
  const { awayMs } = outcome.recorder;
  const away =
    awayMs === 0
      ? ''
      : ` For ${hours(awayMs / HOUR_MS)} the region or the link to it was away, as the faults would have it: what fell due meanwhile, no hub could have sent in time.`;
  return `<h2>From birth to storage upstream</h2><div class="chart">${deliveryChart(outcome.books)}</div>
<p class="soft">A dot is the deadline of its class: what stands above it came late. What never came has no place here; it counts in the table.</p>
${table(
  HEADS,
  SHOWN_CLASSES.map((opClass) => rowOf(opClass, outcome)),
)}
<p class="soft">What waited when the last day was over was sent afterwards. The bar runs from nothing to twice the deadline, whose place is the tick: dark up to the median, light up to 95 %.${away}</p>`;
}

function rowOf(opClass: ShownClass, { byClass }: PilotOutcome): Row {
  const figures = byClass[opClass];
  const { born, acknowledged, stored, waiting, lateAway, medianHours, p95Hours, worstHours } =
    figures;
  const share = (ratio: number): string => (born === 0 ? '–' : percent(ratio));
  return {
    cells: [
      opClass === TELEMETRY ? 'telemetry (readings)' : CLASS_NAMES[opClass],
      count(born),
      count(born - acknowledged),
      count(stored),
      count(waiting),
      ...[medianHours, p95Hours, worstHours, DEADLINES_MS[opClass] / HOUR_MS].map(hours),
      share(lateRatio(figures)),
      share(lateAway / born),
      bar(opClass, medianHours, p95Hours),
    ],
  };
}

/** Median and 95 % over the deadline, as a small bar. */
function bar(opClass: ShownClass, medianHours: number, p95Hours: number): string {
  const mostHours = 2 * (DEADLINES_MS[opClass] / HOUR_MS);
  const stretch = (upToHours: number, opacity: number): string => {
    const width = Math.min(1, upToHours / mostHours) * BAR_WIDTH;
    return `<rect width="${width.toFixed(1)}" height="14" fill="${CLASS_COLOURS[opClass]}" fill-opacity="${opacity}"/>`;
  };
  const ground = `<rect width="${BAR_WIDTH}" height="14" fill="var(--rule)" fill-opacity="0.5"/>`;
  const deadline = `<line x1="${BAR_WIDTH / 2}" x2="${BAR_WIDTH / 2}" y2="14" stroke="var(--ink)"/>`;
  return `<svg viewBox="0 0 ${BAR_WIDTH} 14" style="width:${BAR_WIDTH}px" aria-hidden="true">${ground}${stretch(p95Hours, 0.4)}${stretch(medianHours, 1)}${deadline}</svg>`;
}
