/** `heliograph status`: what a person at the site wants to know first. */
import { wallMsOfIso } from '../../base/iso-time.ts';
import { durationText } from '../../base/duration.ts';
import { CLASS_NAMES } from '../../model/class.ts';
import { rangesText } from '../../status/lsn-ranges.ts';
import type { FlashStatus, PowerStatus, StatusSnapshot } from '../../status/snapshot.ts';
import type { Args } from '../args.ts';
import { HubApi } from './hub-api.ts';
import type { CliIo } from '../io.ts';
import { OWN_TIMES, type ReaderTimes } from '../power/reader-times.ts';
import { print } from '../print.ts';
import {
  agoText,
  bytesText,
  columns,
  countText,
  type Paint,
  paintFor,
  printable,
} from '../text.ts';

export async function showStatus(args: Args, io: CliIo): Promise<void> {
  const status = await HubApi.of(args, io).status();
  print(args, io, status, () => [renderStatus(status, paintFor(io))]);
}

const STATE_COLOURS = {
  surplus: 'green',
  normal: 'green',
  saver: 'yellow',
  critical: 'red',
  shutdown: 'red',
  unknown: 'yellow',
} as const;

const QUALITY_WORDS = {
  ntp: 'set by a time server',
  peer: 'set by another hub',
  rtc: 'kept by its own battery',
  unknown: 'not trusted',
} as const;

/** Moments as the clock of who reads shows them. */
export function renderStatus(
  status: StatusSnapshot,
  paint: Paint,
  times: ReaderTimes = OWN_TIMES,
): string {
  const nowMs = wallMsOfIso(status.clock.at) ?? 0;
  const title = `${paint('bold', status.site)}  hub ${status.hubId}  version ${status.version}`;
  const sections: [string, readonly string[]][] = [
    [
      'Power',
      [
        ...powerLines(status.power, paint),
        ...backLines(status.power, nowMs, times),
        ...byHandLines(status.power, times),
      ],
    ],
    ['Waiting', backlogLines(status)],
    [
      'Uplink',
      [uplinkLine(status, nowMs), linkLine(status), energyLine(status)].filter(
        (line) => line !== '',
      ),
    ],
    ['Devices', [deviceLine(status)]],
    ['Peers', peerLines(status, nowMs)],
    ['Storage', storageLines(status, paint)],
    ['Clock', [`${times.second(nowMs)}, ${QUALITY_WORDS[status.clock.quality]}`]],
  ];
  const lines = [`${title}  up ${durationText(status.uptimeS)}`, ''];
  for (const fault of status.faults) {
    lines.push(
      paint('red', `! ${printable(fault.message)} (${fault.code})`),
      `  ${fault.hint}`,
      '',
    );
  }
  if (status.security.openLan) {
    lines.push(
      paint('yellow', '! Mode open on the network: anyone there may read and publish.'),
      '',
    );
  }
  for (const [name, rows] of sections) {
    for (const [index, row] of rows.entries()) {
      lines.push(`${paint('dim', (index === 0 ? name : '').padEnd(9))}${row}`.trimEnd());
    }
  }
  return lines.join('\n');
}

function powerLines(power: PowerStatus, paint: Paint): string[] {
  const known = (name: string, value: number | null, digits: number, unit: string): string =>
    value === null ? `${name} not measured` : `${name} ${value.toFixed(digits)} ${unit}`;
  const error = power.socErrPct === null ? '' : ` ± ${power.socErrPct.toFixed(0)}`;
  const colour = STATE_COLOURS[power.state as keyof typeof STATE_COLOURS] ?? 'yellow';
  const charge = power.socPct === null ? 'charge unknown' : `${power.socPct.toFixed(0)}${error} %`;
  const volts = power.batteryV === null ? 'voltage not measured' : `${power.batteryV.toFixed(2)} V`;
  if (power.source === 'none')
    return sourcelessLines(power.state, paint(colour, power.state), paint);
  const figures = [
    `battery ${charge}, ${volts}`,
    `${known('panel', power.pvW, 1, 'W')}${power.curtailed === true ? ' (could give more)' : ''}`,
    known('load', power.loadW, 1, 'W'),
  ];
  const age = power.ageS === null ? 'no reading' : `read ${agoText(power.ageS)}`;
  const source = `${power.source}, ${age}`;
  // What a few readings say is shown, and not acted upon yet.
  const isEarly = power.state === 'unknown' && power.socPct !== null;
  const state = isEarly ? 'unknown until there are more readings' : power.state;
  return [`${paint(colour, state)}: ${figures.join('; ')}`, paint('dim', source)];
}

function backLines({ state, backAt }: PowerStatus, nowMs: number, times: ReaderTimes): string[] {
  if (state !== 'shutdown') return [];
  const backMs = backAt === null ? undefined : wallMsOfIso(backAt);
  const when =
    backMs === undefined
      ? 'when the sun is back'
      : `about ${times.minute(backMs)}, in ${durationText((backMs - nowMs) / 1_000)}`;
  return [`nothing is sent, so that the site lives on; sync goes on ${when}`];
}

function byHandLines({ override }: PowerStatus, times: ReaderTimes): string[] {
  if (override === null) return [];
  const held = override.held ? '; the battery is too low for it' : '';
  const until = times.minute(wallMsOfIso(override.until) ?? 0);
  return [`${printable(override.who)} sends by hand until ${until}${held}`];
}

/** On mains nothing is measured; where nothing tells anything of a battery, the hub does not know that. */
function sourcelessLines(state: string, painted: string, paint: Paint): string[] {
  if (state !== 'unknown') return [`${painted}: on mains`];
  return [
    `${painted}: no source tells anything of the battery; sending with caution`,
    paint('dim', '`heliograph power probe` looks for one; on mains, set power.sources = ["none"]'),
  ];
}

function backlogLines({ backlog }: StatusSnapshot): string[] {
  const waiting = CLASS_NAMES.filter((name) => backlog[name].ops > 0);
  if (waiting.length === 0) return ['nothing waits to go up'];
  const rows = waiting.map((name) => {
    const { ops, bytes, oldestS } = backlog[name];
    return [name, countText(ops, 'op'), bytesText(bytes), `oldest ${durationText(oldestS)}`];
  });
  return columns(rows, [1, 2]);
}

const LINK_WORDS: Readonly<Record<string, string>> = {
  absent: 'no route leads upstream',
  portal: 'a captive portal stands in between',
  found: 'there, not proven',
  up: 'proven by answers of the region',
};

function uplinkLine({ uplink, sync }: StatusSnapshot, nowMs: number): string {
  if (uplink.state === 'off') return 'off: data stays in the journal';
  const receiptMs = uplink.lastReceiptAt === null ? undefined : wallMsOfIso(uplink.lastReceiptAt);
  const receipt =
    receiptMs === undefined
      ? 'no receipt yet'
      : `last receipt ${agoText((nowMs - receiptMs) / 1000)}`;
  const seal = uplink.encryptedTo === null ? ', not encrypted' : '';
  return `${printable(sync.state)}; ${uplink.state} over ${uplink.link}, ${receipt}, ${bytesText(uplink.bytesToday)} today${seal}`;
}

/** The device and what sessions took of it; nothing without an uplink. */
function linkLine({ uplink }: StatusSnapshot): string {
  const { state, link, linkState, device, byLink, quota } = uplink;
  if (state === 'off') return '';
  const word = LINK_WORDS[linkState] ?? linkState;
  const use = byLink[link];
  const onTime = use === undefined ? '' : `, on for ${durationText(use.onS)} since the start`;
  const month =
    quota === null
      ? ''
      : `, ${bytesText(quota.usedBytes)} of the month's ${bytesText(quota.bytesMax)}`;
  return `link ${printable(device ?? link)}: ${printable(word)}${onTime}${month}`;
}

/** Nothing where no session was. */
function energyLine({ energy }: StatusSnapshot): string {
  if (energy.sessionsToday === 0) return '';
  const { sessionsToday, whToday, measuredToday } = energy;
  const text = `${countText(sessionsToday, 'session')} today, thought to have cost ${whToday.toFixed(2)} Wh`;
  if (measuredToday === undefined) return text;
  const { sessions, drawnWh, believedWh } = measuredToday;
  return `${text}; measured on ${sessions} of them: ${drawnWh.toFixed(2)} instead of ${believedWh.toFixed(2)} Wh`;
}

function deviceLine({ devices }: StatusSnapshot): string {
  const sessions = countText(devices.sessions, 'session');
  const queued = countText(devices.queued, 'message');
  const gaveWay = devices.dropped + devices.cut;
  const dropped = gaveWay === 0 ? '' : `, ${gaveWay} dropped at a limit`;
  const denied =
    devices.denied === 0
      ? ''
      : `, ${countText(devices.denied, 'publish', 'publishes')} not allowed`;
  return `${devices.connected} connected, ${sessions}, ${queued} waiting for absent ones${dropped}${denied}`;
}

/** A line for each other hub. */
function peerLines({ peers }: StatusSnapshot, nowMs: number): string[] {
  return peers.map(({ hubId, address, state, reason, lastSeenAt, opsSent, opsTaken }) => {
    const seenMs = lastSeenAt === null ? undefined : wallMsOfIso(lastSeenAt);
    const seen = seenMs === undefined ? '' : `, heard ${agoText((nowMs - seenMs) / 1000)}`;
    const why = reason === null ? '' : ` (${printable(reason)})`;
    const name = hubId === null ? address : `${hubId} ${address}`;
    return `${printable(name)}: ${state}${why}${seen}, ${opsSent} ops out, ${opsTaken} in`;
  });
}

function storageLines(status: StatusSnapshot, paint: Paint): string[] {
  const { journal, disk, flash } = status;
  const entries = countText(journal.lastLsn - journal.receiptedLsn, 'entry', 'entries');
  const lines = [
    `journal ${Math.floor(100 * journal.fillRatio)} % of ${bytesText(journal.bytesMax)}, ${entries} since the oldest without receipt`,
    `${bytesText(disk.freeBytes)} free`,
    flashLine(flash),
    assetLine(status),
  ].filter((line) => line !== '');
  const { quarantined } = journal;
  if (quarantined.length > 0)
    lines.push(paint('red', `damaged and kept aside: LSN ${rangesText(quarantined)}`));
  const healing = healingText(journal);
  if (healing !== '') lines.push(healing);
  return lines;
}

const REGION_WORDS = {
  unasked: 'the region has not been asked yet',
  gives: 'the region gives back what it has',
  'has-none': 'the region has none of them',
} as const;

/** What comes back of damage; nothing where there is none. */
export function healingText({ healing, quarantined }: StatusSnapshot['journal']): string {
  const { lackedOps, region, healedRanges } = healing;
  if (quarantined.length > 0 && lackedOps > 0) {
    return `up to ${countText(lackedOps, 'op')} lacking: ${REGION_WORDS[region]}`;
  }
  return healedRanges > 0 ? `${countText(healedRanges, 'damaged range')} healed` : '';
}

/** Nothing where there are none. */
function assetLine({ assets }: StatusSnapshot): string {
  if (assets.contents + assets.partial + assets.refused === 0) return '';
  const { contents, bytes, bytesMax, partial, evicted, refused } = assets;
  const parts = [
    `${countText(contents, 'asset')}, ${bytesText(bytes)} of ${bytesText(bytesMax)}`,
    ...(partial > 0 ? [`${partial} still coming`] : []),
    ...(evicted > 0 ? [`${evicted} made room`] : []),
    ...(refused > 0 ? [`${refused} found none`] : []),
  ];
  return parts.join(', ');
}

/** `82 MB written today (journal 60 MB, store 20 MB), 3.4 for each byte received; the card lasts 61.5 years`. */
function flashLine({ bytesToday, byCause, amplification, lifeYears }: FlashStatus): string {
  const causes = Object.entries(byCause)
    .filter(([, bytes]) => bytes > 0)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, bytes]) => `${name} ${bytesText(bytes)}`);
  const split = causes.length === 0 ? '' : ` (${causes.join(', ')})`;
  const ratio =
    amplification === null ? '' : `, ${amplification.toFixed(1)} for each byte received`;
  const life = lifeYears === null ? '' : `; at this rate the card lasts ${lifeText(lifeYears)}`;
  return `${bytesText(bytesToday)} written today${split}${ratio}${life}`;
}

function lifeText(years: number): string {
  return years >= 50 ? '50 years or more' : `${years.toFixed(1)} years`;
}
