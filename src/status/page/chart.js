/**
 * The last hours of charge, panel and load. The past comes from `/api/v1/power`, what follows from the status
 * stream, one sample a minute of the hub's clock.
 */
import uPlot from './uplot.js';

const SAMPLE_S = 60;
/** Hub time without a sample after which the past is asked for again. */
const GAP_S = 5 * SAMPLE_S;
const SAMPLES_MAX = 2 * 24 * 60;
const NAMES = ['pvW', 'loadW', 'socPct'];
const FONT = '12px system-ui';
const clockTime = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});

export class PowerChart {
  #holder;
  #hours = 24;
  #plot;
  /** Seconds since 1970, and the values at these moments. */
  #columns = { at: [], pvW: [], loadW: [], socPct: [] };
  #isLoading = false;

  constructor(holder) {
    this.#holder = holder;
    new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = holder;
      this.#plot?.setSize({ width, height });
    }).observe(holder);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', () => this.#draw());
    void this.#load();
  }

  show(hours) {
    this.#hours = hours;
    this.#draw();
  }

  /**
   * Takes a status. After a pause (a phone that slept) or a clock that was set, the hub's own samples fill in.
   */
  add({ clock, power }) {
    const { at } = this.#columns;
    const atS = Date.parse(clock.at) / 1000;
    const lastS = at.at(-1) ?? atS;
    if (atS < lastS - SAMPLE_S || atS > lastS + GAP_S) void this.#load();
    if (this.#isLoading || (at.length > 0 && atS < lastS + SAMPLE_S)) return;
    at.push(atS);
    for (const name of NAMES) this.#columns[name].push(power[name]);
    if (at.length > SAMPLES_MAX) {
      for (const values of Object.values(this.#columns)) values.splice(0, SAMPLES_MAX / 2);
    }
    this.#refresh();
  }

  async #load() {
    if (this.#isLoading) return;
    this.#isLoading = true;
    try {
      const response = await fetch('/api/v1/power');
      if (!response.ok) return;
      const { at, ...values } = await response.json();
      this.#columns = { at: at.map((moment) => Date.parse(moment) / 1000) };
      for (const name of NAMES) this.#columns[name] = values[name];
    } catch {
      // The hub is away; the stream says so and brings new samples when it is back.
    } finally {
      this.#isLoading = false;
      this.#refresh();
    }
  }

  #refresh() {
    if (this.#plot === undefined) this.#draw();
    else this.#plot.setData(this.#shown());
  }

  #shown() {
    const { at } = this.#columns;
    const fromS = (at.at(-1) ?? 0) - this.#hours * 3600;
    const first = Math.max(
      0,
      at.findIndex((moment) => moment >= fromS),
    );
    return [at.slice(first), ...NAMES.map((name) => this.#columns[name].slice(first))];
  }

  #draw() {
    this.#plot?.destroy();
    this.#plot = undefined;
    const data = this.#shown();
    const missing = missingIn(data);
    this.#holder.classList.toggle('empty', missing !== '');
    this.#holder.textContent = missing;
    if (missing !== '') return;
    const { clientWidth: width, clientHeight: height } = this.#holder;
    this.#plot = new uPlot({ ...chartOptions(), width, height }, data, this.#holder);
  }
}

/** What a chart lacks yet; empty: nothing. */
function missingIn([at, ...values]) {
  if (at.length < 2) return 'The chart begins with the second minute.';
  const isRead = values.some((column) => column.some((value) => value !== null));
  return isRead ? '' : 'No power has been read yet.';
}

/** Colours are those of the style sheet, so that dark and light follow the page. */
function chartOptions() {
  return {
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 0, 0, 0],
    scales: {
      '%': { range: [0, 100] },
      W: { range: (_, __, most) => [0, Math.max(10, Math.ceil((most ?? 0) * 1.15))] },
    },
    axes: [
      {
        stroke: colour('--quiet'),
        grid: { show: false },
        ticks: { show: false },
        font: FONT,
        size: 28,
        values: (_, splits) => onceEach(splits.map((atS) => clockTime.format(atS * 1000))),
      },
      axis('%', 3, ' %'),
      axis('W', 1, ' W'),
    ],
    series: [
      {},
      line('W', '--sun', { fill: colour('--sun-fill') }),
      line('W', '--load'),
      line('%', '--charge', { width: 3 }),
    ],
  };
}

/** In the first minutes several places would bear the same minute. */
function onceEach(labels) {
  return labels.map((label, index) => (label === labels[index - 1] ? '' : label));
}

function axis(scale, side, unit) {
  return {
    scale,
    side,
    size: 48,
    font: FONT,
    stroke: colour('--quiet'),
    grid: { stroke: colour('--line'), width: 1, show: scale === '%' },
    ticks: { show: false },
    values: (_, splits) => splits.map((value) => `${value}${unit}`),
  };
}

function line(scale, name, more = {}) {
  return { scale, stroke: colour(name), width: 2, points: { show: false }, ...more };
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
