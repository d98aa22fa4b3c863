/**
 * `heliograph power probe`: what every power source tells, side by side, with unit and age, so that an installer
 * sees in ten seconds whether the wiring is right. A hub that runs on the data directory is asked, because a
 * serial port has one reader; without one the sources of the configuration are opened here.
 *
 * On a terminal the figures are renewed every second until interrupted; elsewhere they are told once.
 */
import { pause } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import { createLog } from '../../base/log.ts';
import type { Config } from '../../config/schema.ts';
import { venusLogin } from '../../hub/access.ts';
import { thisMachine } from '../../machine.ts';
import { powerConfigOf } from '../../power/power-config.ts';
import { FIELD_WORDS, listenTo, type ProbeRow, probeRows } from '../../power/probe.ts';
import { openSources, type SourceNeeds } from '../../power/sources/open-sources.ts';
import type { PowerSource } from '../../power/sources/source.ts';
import type { Args } from '../args.ts';
import { configOf } from '../config-options.ts';
import { HubApi, runtimeOf } from '../asking/hub-api.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { print } from '../print.ts';
import { columns, paintFor, printable } from '../text.ts';

/** Where rows come from, until `stop`. */
interface Probe {
  readonly from: string;
  rows(): Promise<readonly ProbeRow[]>;
  stop(): void;
}

/** Slow sources (serial adapters, Venus OS) have told something by then. */
const LISTEN_S = 6;
const RENEW_MS = 1_000;
/** Older than this a reading counts as none (estimator). */
const STALE_S = 60;

export async function probePower(args: Args, io: CliIo): Promise<ExitCode> {
  const listenS = args.number('seconds', 0, 86_400);
  const probe = openProbe(args, io);
  try {
    const isLive = io.isTty && !args.has('json');
    const rows = isLive ? await live(probe, listenS, io) : await once(probe, listenS, io);
    if (!isLive) print(args, io, rows, () => table(probe, rows, io));
    return rows.some(({ field, ageS }) => field !== undefined && (ageS ?? 0) <= STALE_S)
      ? EXIT.done
      : EXIT.failed;
  } finally {
    probe.stop();
  }
}

async function once(
  probe: Probe,
  listenS: number | undefined,
  io: CliIo,
): Promise<readonly ProbeRow[]> {
  const isHub = probe.from !== HERE;
  const listenMs = (listenS ?? (isHub ? 0 : LISTEN_S)) * 1_000;
  if (listenMs > 0) await pause(io.timers, listenMs, io.signal);
  return probe.rows();
}

/** Draws each time from the top of the screen, so that the eye can stay on one figure: on a phone the lines wrap. */
async function live(
  probe: Probe,
  listenS: number | undefined,
  io: CliIo,
): Promise<readonly ProbeRow[]> {
  const rounds = listenS === undefined ? Infinity : Math.ceil((listenS * 1_000) / RENEW_MS);
  for (let round = 0; ; round++) {
    const rows = await probe.rows();
    io.stdout(`\u001b[H\u001b[J${table(probe, rows, io).join('\n')}\n`);
    if (round < rounds) await pause(io.timers, RENEW_MS, io.signal);
    if (round >= rounds || io.signal.aborted) return rows;
  }
}

const HERE = 'read here';

function openProbe(args: Args, io: CliIo): Probe {
  const hub = runningHub(args, io);
  if (hub !== undefined) {
    const path = '/api/v1/power/sources';
    const rows = async (): Promise<readonly ProbeRow[]> => (await hub.json(path)) as ProbeRow[];
    return { from: 'as the running hub reads them', rows, stop: () => undefined };
  }
  const config = configOf(args, io);
  const { sources, refused } = openAll(config.power, io);
  const { battery } = powerConfigOf(config.power);
  const listening = listenTo(sources, battery);
  const now = (nowMs: number): ProbeRow[] => probeRows(listening.views(nowMs), nowMs, battery);
  return {
    from: HERE,
    rows: () => Promise.resolve([...now(io.clock.monotonicMs()), ...refused]),
    stop: () => listening.stop(),
  };
}

function runningHub(args: Args, io: CliIo): HubApi | undefined {
  if (args.has('url')) return HubApi.of(args, io);
  const address = runtimeOf(configOf(args, io).data, io)?.http;
  return address === undefined ? undefined : new HubApi(address, args, io);
}

/** What devices publish at the hub's own broker, and the site that a hub simulates. */
const NEEDS_HUB = /^(mqtt:|simulated$)/;
const ASK_HUB = 'is read by the running hub alone: start it for this one';

/** Every source that can be opened without a hub; of the others, why not. */
function openAll(
  power: Config['power'],
  io: CliIo,
): { readonly sources: PowerSource[]; readonly refused: ProbeRow[] } {
  const log = createLog(io.clock, 'warn', (line) => io.stderr(`${line}\n`));
  const { drivers, serial, mqtt } = thisMachine(io.env, log);
  const { files, random, clock, timers } = io;
  const roots = { sysRoot: '/sys', devRoot: '/dev' };
  const machine = { files, drivers, serial, random, clock, timers, ...roots };
  const needs: SourceNeeds = { machine, mqtt, venusLogin: () => venusLogin(power, io) };
  const sources: PowerSource[] = [];
  const refused: ProbeRow[] = [];
  for (const text of power.sources) {
    try {
      if (NEEDS_HUB.test(text)) refused.push({ source: text, value: ASK_HUB, unit: '' });
      else sources.push(...openSources([text], needs));
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      refused.push({ source: text, value: error.message, unit: '' });
    }
  }
  return { sources, refused };
}

/** Why a figure is not the one that counts. */
function reserveOf({ ageS, doubted, why, differsFrom }: Partial<ProbeRow>): string {
  if (ageS !== undefined && ageS > STALE_S) return ': too old';
  if (doubted === true) return `: not believed${why === undefined ? '' : `, ${printable(why)}`}`;
  return differsFrom === undefined
    ? ''
    : `: differs from ${printable(differsFrom)}, which is believed`;
}

/** Figures in columns; below them, who tells none, and why. */
function table({ from }: Probe, rows: readonly ProbeRow[], io: CliIo): string[] {
  const paint = paintFor(io);
  const cells = rows.flatMap(({ source, field, value, unit, ageS, ...more }) => {
    if (field === undefined) return [];
    const age = ageS === undefined ? '' : `${ageS.toFixed(0)} s ago${reserveOf({ ageS, ...more })}`;
    return [[printable(source), FIELD_WORDS[field], printable(value), unit, age]];
  });
  const silent = rows.filter(({ field }) => field === undefined);
  const [head = '', ...body] = columns(
    [['source', 'figure', 'value', 'unit', 'read'], ...cells],
    [2],
  );
  return [
    paint('bold', `Power sources, ${from}`),
    ...(cells.length === 0 ? [] : [paint('dim', head), ...body]),
    ...columns(silent.map(({ source, value }) => [printable(source), printable(value)])),
  ];
}
