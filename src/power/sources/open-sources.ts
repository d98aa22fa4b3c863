/**
 * From the texts of `power.sources` to sources, in order of trust. `auto` stands for whatever this machine
 * may have: VE.Direct adapters by their USB name, `power_supply`, hwmon; it goes on looking, so that what
 * is plugged in later is found too.
 */
import { HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { MqttClient } from '../../platform/network/mqtt-client.ts';
import { MqttJsonSource, type Subscribe } from './mqtt-json.ts';
import { chipsIn, hwmonSource, hwmonSources } from './hwmon.ts';
import { mainsSource, type MeasuredSite, simulatedSource } from './simulated.ts';
import { parseSource, type SourceSpec } from './source-spec.ts';
import { ifReadable, optional, type PowerMachine, type PowerSource } from './source.ts';
import { suppliesIn, sysfsSource } from './sysfs.ts';
import { VeDirectSource } from './ve-direct.ts';
import { type VenusLogin, VenusMqttSource } from './venus-mqtt.ts';

export interface SourceNeeds {
  readonly machine: PowerMachine;
  /** The simulated site; without one, source `simulated` is refused. */
  readonly site?: MeasuredSite;
  /** For Venus OS; without it, `venus-mqtt:` is refused. */
  readonly mqtt?: MqttClient;
  /** Asked before each login there; without it, nobody logs in. */
  readonly venusLogin?: () => VenusLogin;
  /** The hub's own broker; without it, `mqtt:` is refused. */
  readonly subscribe?: Subscribe;
  /** Hears what `auto` found. */
  readonly log?: Log;
}

/** Throws `power.source-invalid` where a text means nothing or what it needs is not there. */
export function openSources(texts: readonly string[], needs: SourceNeeds): PowerSource[] {
  const specs = texts.map((text) => parseSource(text));
  const named = new Set(specs.flatMap((spec) => (spec.kind === 'chip' ? [spec.address] : [])));
  const sources = specs.flatMap((spec, index) =>
    openSource(texts[index] as string, spec, needs, named),
  );
  if (sources.length > 0) return sources;
  throw new HubError('power.source-invalid', 'power.sources is empty; on mains, write ["none"]');
}

function openSource(
  text: string,
  spec: SourceSpec,
  needs: SourceNeeds,
  namedChips: ReadonlySet<string>,
): PowerSource[] {
  const { machine, site, mqtt, subscribe, venusLogin } = needs;
  if (spec.kind === 'auto') {
    needs.log?.info('power.detected', { found: detectSources(machine) });
    return autoSources(machine, namedChips);
  }
  if (spec.kind === 'none') return [mainsSource(machine)];
  if (spec.kind === 'sysfs') return [sysfsSource(machine)];
  if (spec.kind === 'hwmon') return hwmonSources(machine, namedChips);
  if (spec.kind === 'chip') return [hwmonSource(text, machine, spec)];
  if (spec.kind === 've-direct') return [new VeDirectSource(text, () => spec.path, machine)];
  if (spec.kind === 'venus-mqtt') {
    if (mqtt === undefined) throw refused(text, 'no MQTT client is at hand here');
    return [new VenusMqttSource(text, spec.url, { ...machine, mqtt }, venusLogin)];
  }
  if (spec.kind === 'mqtt') {
    if (subscribe === undefined) throw refused(text, "the hub's own broker is not at hand here");
    return [new MqttJsonSource(text, spec, machine, subscribe)];
  }
  if (site === undefined) throw refused(text, 'no site is simulated here');
  return [simulatedSource(machine, site)];
}

function refused(text: string, why: string): HubError {
  return new HubError('power.source-invalid', `power.sources: "${text}": ${why}`);
}

/** Victron's own cables name themselves; any other adapter must be named in the config. */
const ADAPTER = /VE[_-]?Direct/i;

function autoSources(machine: PowerMachine, namedChips: ReadonlySet<string>): PowerSource[] {
  const adapters = adaptersOf(machine);
  const lines = Math.max(1, adapters.length);
  const veDirect = Array.from({ length: lines }, (_, index) => {
    const name = adapters[index] === undefined ? 'auto ve-direct' : `ve-direct:${adapters[index]}`;
    return optional(new VeDirectSource(name, () => adaptersOf(machine)[index], machine));
  });
  return [
    ...veDirect,
    ...[sysfsSource(machine), ...hwmonSources(machine, namedChips)].map(optional),
  ];
}

function adaptersOf(machine: PowerMachine): string[] {
  const folder = `${machine.devRoot}/serial/by-id`;
  return ifReadable(() => machine.files.list(folder), [])
    .filter((name) => ADAPTER.test(name))
    .map((name) => `${folder}/${name}`);
}

/** What `auto` sees at this moment, as texts of `power.sources`, for the log; no driver is asked. */
export function detectSources(machine: PowerMachine): string[] {
  const found = adaptersOf(machine).map((path) => `ve-direct:${path}`);
  if (suppliesIn(machine).length > 0) found.push('sysfs');
  const chips = chipsIn(machine).map(({ address }, index) =>
    index === 0 ? 'hwmon' : `hwmon:${address}`,
  );
  return [...found, ...chips];
}
