/**
 * Metrics in the text format of Prometheus (exposition format 0.0.4), all from one snapshot. A figure that is
 * not known is left out: a missing series is honest, a zero is not.
 */
import { FAULTS } from '../base/errors.ts';
import { CLASS_NAMES } from '../model/class.ts';
import type { FaultStatus, Health, PeerRow, StatusSnapshot } from './snapshot.ts';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type MetricType = 'gauge' | 'counter';
type Labels = Readonly<Record<string, string>>;
export type Sample = readonly [labels: Labels, value: number | null];

const POWER_STATES = ['surplus', 'normal', 'saver', 'critical', 'shutdown', 'unknown'];

export function renderMetrics(status: StatusSnapshot, health: Health): string {
  const page = new Exposition();
  const { hubId, site, version } = status;
  page.gauges('info', 'Identity of the hub.', [[{ hub_id: hubId, site, version }, 1]]);
  page.gauge('healthy', '1 while devices are served and the journal is writable.', health.ok);
  page.gauge('uptime_seconds', 'Time since the start.', status.uptimeS);
  addPower(page, status);
  addBacklog(page, status);
  addJournal(page, status);
  addTraffic(page, status);
  const { state, severity } = status.sync;
  page.gauges('sync_state', '1 for the state of sync that names the hub.', [
    [{ state, severity }, 1],
  ]);
  addFaults(page, status.faults);
  addPeers(page, status);
  const { rssBytes, cpuS } = status.process;
  page.add('gauge', 'process_resident_memory_bytes', 'Resident memory.', [[{}, rssBytes]]);
  page.add('counter', 'process_cpu_seconds_total', 'Processor time, user and system.', [
    [{}, cpuS],
  ]);
  return page.text();
}

/** By the address that is dialled, or the name by which the other hub has come. */
function addPeers(page: Exposition, { peers }: StatusSnapshot): void {
  const each = (value: (peer: PeerRow) => number): Sample[] =>
    peers.map((peer) => [{ peer: peer.address }, value(peer)]);
  page.gauges(
    'peer_synced',
    '1 while each of both hubs has all that the other may send.',
    each(({ state }) => Number(state === 'synced')),
  );
  page.gauges(
    'peer_stuck_lanes',
    'Lanes that do not get on.',
    each((peer) => peer.stuckLanes),
  );
  page.gauges(
    'peer_ops_sent',
    'Ops sent in this exchange.',
    each((peer) => peer.opsSent),
  );
  page.gauges(
    'peer_ops_taken',
    'Ops taken in this exchange.',
    each((peer) => peer.opsTaken),
  );
}

/** Gathers metrics; a family without any known value leaves no trace. */
export class Exposition {
  readonly #lines: string[] = [];

  gauge(name: string, help: string, value: number | boolean | null): void {
    this.gauges(name, help, [[{}, value === null ? null : Number(value)]]);
  }

  gauges(name: string, help: string, samples: readonly Sample[]): void {
    this.add('gauge', `heliograph_${name}`, help, samples);
  }

  counter(name: string, help: string, value: number): void {
    this.add('counter', `heliograph_${name}_total`, help, [[{}, value]]);
  }

  add(type: MetricType, name: string, help: string, samples: readonly Sample[]): void {
    const known = samples.filter(([, value]) => value !== null);
    if (known.length === 0) return;
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of known)
      this.#lines.push(`${name}${renderLabels(labels)} ${value}`);
  }

  text(): string {
    return `${this.#lines.join('\n')}\n`;
  }
}

function ratio(percent: number | null): number | null {
  return percent === null ? null : Math.round(percent * 100) / 10_000;
}

function addPower(page: Exposition, { power }: StatusSnapshot): void {
  const states = POWER_STATES.map((state): Sample => [{ state }, power.state === state ? 1 : 0]);
  page.gauges('power_state', '1 for the state of power that holds.', states);
  page.gauge('battery_charge_ratio', 'State of charge, 0 to 1.', ratio(power.socPct));
  page.gauge('battery_charge_error_ratio', 'Its error.', ratio(power.socErrPct));
  page.gauge('battery_volts', 'Voltage of the battery.', power.batteryV);
  page.gauge('pv_watts', 'Power from the panel.', power.pvW);
  page.gauge('load_watts', 'Power that the site draws.', power.loadW);
  page.gauge(
    'pv_curtailed',
    '1 while the panel could give more than anyone takes.',
    power.curtailed,
  );
  page.gauge('power_reading_age_seconds', 'Age of the newest reading.', power.ageS);
}

function addBacklog(page: Exposition, { backlog }: StatusSnapshot): void {
  const perClass = (pick: 'ops' | 'bytes' | 'oldestS'): Sample[] =>
    CLASS_NAMES.map((name) => [{ class: name }, backlog[name][pick]]);
  page.gauges('backlog_ops', 'Ops that wait for a receipt.', perClass('ops'));
  page.gauges('backlog_bytes', 'Their size.', perClass('bytes'));
  page.gauges('backlog_oldest_seconds', 'Age of the oldest of them.', perClass('oldestS'));
}

function addJournal(page: Exposition, status: StatusSnapshot): void {
  const { journal, store, uplink, disk, flash } = status;
  page.gauge('journal_first_lsn', 'Oldest entry that is kept.', journal.firstLsn);
  page.gauge('journal_last_lsn', 'Newest entry.', journal.lastLsn);
  page.gauge('journal_durable_lsn', 'Newest entry that is on the medium.', journal.durableLsn);
  page.gauge('journal_receipted_lsn', 'All up to here is stored upstream.', journal.receiptedLsn);
  page.gauge('journal_bytes', 'Size of the journal.', journal.bytes);
  page.gauge('journal_limit_bytes', 'Largest size.', journal.bytesMax);
  page.gauge('journal_fill_ratio', 'In use; at 1 new ops are refused.', journal.fillRatio);
  page.gauge(
    'journal_quarantined_ranges',
    'Damaged ranges kept aside.',
    journal.quarantined.length,
  );
  page.gauge(
    'journal_lacked_ops',
    'Numbers that lanes lack since a range was damaged.',
    journal.healing.lackedOps,
  );
  page.counter(
    'journal_dropped_ops',
    'Ops of class bulk that went without a receipt.',
    journal.dropped.ops,
  );
  page.counter('journal_syncs', 'Syncs of the medium.', journal.syncs);
  page.counter(
    'journal_sync_seconds',
    'Seconds that acknowledgements waited for syncs, together.',
    journal.syncS,
  );
  page.counter('journal_written_bytes', 'Bytes written to the journal.', journal.bytesWritten);
  page.gauge('store_applied_lsn', 'How far the state follows the journal.', store.appliedLsn);
  page.gauge(
    'uplink_sent_bytes_today',
    'Bytes sent upstream since midnight UTC.',
    uplink.bytesToday,
  );
  addLink(page, uplink);
  addAssets(page, status);
  const { sessionsToday, whByClass } = status.energy;
  page.gauge('uplink_sessions_today', 'Sessions since midnight UTC.', sessionsToday);
  page.gauges(
    'sync_energy_joules_today',
    'Estimated energy of sync since midnight UTC, by class.',
    CLASS_NAMES.map((name): Sample => [{ class: name }, Math.round(whByClass[name] * 3_600)]),
  );
  page.gauge('disk_free_bytes', 'Space that is left on the disk of the data.', disk.freeBytes);
  page.gauge('flash_written_bytes_today', 'Bytes written since midnight UTC.', flash.bytesToday);
  const causes = Object.entries(flash.byCause).map(([cause, bytes]): Sample => [{ cause }, bytes]);
  page.gauges('flash_cause_bytes_today', 'The same by cause.', causes);
  page.gauge(
    'flash_system_bytes_today',
    'What the system counts for this process since midnight UTC.',
    flash.systemBytesToday,
  );
  page.gauge(
    'flash_write_amplification',
    'Bytes written for each byte that devices sent, since midnight UTC.',
    flash.amplification,
  );
  page.gauge(
    'flash_life_years',
    'Years that the card lasts at the rate of the last days.',
    flash.lifeYears,
  );
}

/** Contents of assets on the card. */
function addAssets(page: Exposition, { assets }: StatusSnapshot): void {
  page.gauge('assets_contents', 'Contents of assets that are whole.', assets.contents);
  page.gauge('assets_bytes', 'Their size, those that are still coming included.', assets.bytes);
  page.gauge('assets_limit_bytes', 'Size at which receipted ones give way.', assets.bytesMax);
  page.gauge('assets_partial', 'Contents of which a part has come.', assets.partial);
  page.gauge('assets_previews', 'Previews.', assets.previews);
  page.gauge('assets_quarantined', 'Damaged contents that lie aside.', assets.quarantined);
  page.counter('assets_evicted', 'Contents that gave way.', assets.evicted);
  page.counter('assets_evicted_bytes', 'Their size.', assets.evictedBytes);
  page.counter('assets_refused', 'Contents that found no room.', assets.refused);
}

/** What the way upstream costs beside energy: time on the air, sessions, bytes. */
function addLink(page: Exposition, uplink: StatusSnapshot['uplink']): void {
  const { linkState, link, costClass, byLink, quota } = uplink;
  page.gauges('uplink_link_up', '1 once the region has answered over the link in use.', [
    [{ link, cost_class: String(costClass) }, linkState === 'up' ? 1 : 0],
  ]);
  const uses = Object.entries(byLink);
  const counter = (name: string, help: string, pick: 'sessions' | 'bytes' | 'onS'): void =>
    page.add(
      'counter',
      `heliograph_uplink_link_${name}_total`,
      help,
      uses.map(([kind, use]): Sample => [{ link: kind }, use[pick]]),
    );
  counter('on_seconds', 'Time that sessions held the link.', 'onS');
  counter('sessions', 'Sessions, failed attempts included.', 'sessions');
  counter(
    'bytes',
    'Bytes of sessions, both directions; of one that was cut, also what still waited to be sent.',
    'bytes',
  );
  page.gauge(
    'uplink_quota_used_bytes',
    "Bytes of the month's quota used.",
    quota?.usedBytes ?? null,
  );
  page.gauge('uplink_quota_bytes', "The month's quota.", quota?.bytesMax ?? null);
}

function addTraffic(page: Exposition, { devices, http }: StatusSnapshot): void {
  page.gauge('devices_connected', 'Devices that are connected.', devices.connected);
  page.counter('connections_refused', 'Connections beyond the limit.', devices.turnedAway);
  page.counter(
    'http_connections_refused',
    'Connections to page and API beyond the limit.',
    http.turnedAway,
  );
  page.gauge('sessions', 'Sessions, of connected devices and of absent ones.', devices.sessions);
  page.counter(
    'sessions_refused',
    'Attempts to connect that found no room for a session.',
    devices.sessionsRefused,
  );
  page.counter(
    'sessions_expired',
    'Sessions forgotten as their devices stayed away for too long.',
    devices.sessionsExpired,
  );
  page.gauge('subscriptions', 'Subscriptions of all sessions.', devices.subscriptions);
  page.gauge('retained_messages', 'Retained messages.', devices.retained);
  page.gauge('queued_messages', 'Messages that wait for absent subscribers.', devices.queued);
  page.counter('messages_received', 'Publishes from devices.', devices.messagesIn);
  page.counter('messages_sent', 'Publishes to devices.', devices.messagesOut);
  page.counter('received_bytes', 'Bytes from devices.', devices.bytesIn);
  page.counter('sent_bytes', 'Bytes to devices.', devices.bytesOut);
  const gaveWay = devices.dropped + devices.cut;
  page.counter('messages_dropped', 'Messages that gave way at a limit.', gaveWay);
  page.counter(
    'messages_not_retained',
    'Messages that were to be retained and found no room.',
    devices.notRetained,
  );
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** One sample for each code there is: what has never held can be asked for, too. */
export function addFaults(page: Exposition, faults: readonly Pick<FaultStatus, 'code'>[]): void {
  const holds = new Set<string>(faults.map(({ code }) => code));
  const samples = Object.keys(FAULTS).map((code): Sample => [{ code }, holds.has(code) ? 1 : 0]);
  page.gauges('fault', '1 while a fault of this code holds.', samples);
}
