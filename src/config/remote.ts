/**
 * What a region may set on its hubs: a list of keys that cannot cut a hub off, open it, or move its data. A wish counts
 * where the whole configuration is valid with it; each that is refused comes with its reason. What was accepted stands in a
 * file of the data directory, above the configuration file and below the environment and `--set`: who is on site has the
 * last word.
 *
 * A hub that does not come up with new settings goes on without them: a start counts as a try, and only a hub that has
 * served for a while has passed it.
 */
import { textOf, utf8 } from '../base/bytes.ts';
import { type ConfigInput, type ConfigMistake, loadConfig, REMOTE_WHERE } from './config.ts';

/** Dotted key → its value as TOML and JSON have it. */
export type RemoteValues = Readonly<Record<string, unknown>>;

interface RefusedSetting {
  readonly key: string;
  readonly reason: string;
}

export interface RemoteConfig {
  /** `new`: not proven yet; `good`: the hub has served with it; `failed`: it did not come up, and goes on without. */
  readonly state: 'new' | 'good' | 'failed';
  /** Starts with it that have not ended well so far. */
  readonly tries: number;
  /** All that the region asks for, refused or not. */
  readonly wished: RemoteValues;
  readonly values: RemoteValues;
  readonly refused: readonly RefusedSetting[];
}

/** Keys, and sections that end with a dot. */
export const REMOTE_KEYS: readonly string[] = [
  'log_level',
  'capture',
  'journal.keep_days',
  'journal.linger_ms.',
  'store.readings_days',
  'assets.total_mib_max',
  'assets.file_mib_max',
  'assets.preview_megapixels_max',
  'audit.',
  'power.capacity_wh',
  'power.panel_w',
  'power.base_load_w',
  'power.latitude',
  'power.longitude',
  'power.thresholds.',
  'uplink.link',
  'uplink.check_in_minutes',
  'uplink.quota_mib.',
];
export const REMOTE_FILE = 'config-remote.json';
export const REMOTE_TRIES_MAX = 3;

const FORMAT = 1;
const FILE_BYTES_MAX = 256 << 10;
const REASON_CHARS_MAX = 200;

export function mayBeSetRemotely(key: string): boolean {
  return REMOTE_KEYS.some((it) => (it.endsWith('.') ? key.startsWith(it) : key === it));
}

/** Splits wishes in those that the configuration is valid with, and the others. */
export function judgeRemote(
  input: ConfigInput,
  wished: RemoteValues,
): Pick<RemoteConfig, 'values' | 'refused'> {
  const refused: RefusedSetting[] = [];
  const values: Record<string, unknown> = {};
  const refuse = (key: string, reason: string): void => {
    delete values[key];
    refused.push({ key, reason: reason.slice(0, REASON_CHARS_MAX) });
  };
  for (const [key, value] of Object.entries(wished)) {
    values[key] = value;
    if (!mayBeSetRemotely(key)) refuse(key, 'may not be set by the region');
    else if (key === 'uplink.check_in_minutes' && value === 0) {
      refuse(key, '0 is not allowed from afar: the hub would not ask any more');
    }
  }
  for (;;) {
    const outcome = loadConfig({ ...input, remote: values });
    if (outcome.kind === 'ok') {
      for (const key of Object.keys(values)) {
        const where = outcome.sources.get(key);
        if (where !== undefined && where !== REMOTE_WHERE) refuse(key, `is set by ${where}`);
      }
      return { values, refused };
    }
    const culprits = Object.keys(values).filter((key) =>
      outcome.mistakes.some((mistake) => isAbout(mistake, key)),
    );
    const [first] = outcome.mistakes;
    // A rule that is broken by several keys names one of them: then all of them are in doubt.
    for (const key of culprits.length > 0 ? culprits : Object.keys(values)) {
      const own = outcome.mistakes.find((mistake) => isAbout(mistake, key)) ?? first;
      refuse(key, own?.message ?? 'is not allowed');
    }
    if (culprits.length === 0) return { values, refused };
  }
}

function isAbout({ key }: ConfigMistake, setting: string): boolean {
  return key === setting || key.startsWith(`${setting}[`);
}

/** Undefined where there is no such file, or not one of ours: the hub goes on with its own configuration then. */
export function readRemoteConfig(bytes: Uint8Array | undefined): RemoteConfig | undefined {
  if (bytes === undefined || bytes.length > FILE_BYTES_MAX) return undefined;
  try {
    const file = JSON.parse(textOf(bytes) ?? '') as RemoteConfig & { readonly format: number };
    const isOurs = file.format === FORMAT && typeof file.values === 'object';
    return isOurs ? file : undefined;
  } catch {
    return undefined;
  }
}

export function writeRemoteConfig(remote: RemoteConfig): Uint8Array {
  return utf8(`${JSON.stringify({ format: FORMAT, ...remote })}\n`);
}

/** What a start makes of the file: one more try, or none where it has not come up too often. */
export function tryRemoteConfig(remote: RemoteConfig): RemoteConfig {
  if (remote.state !== 'new') return remote;
  if (remote.tries < REMOTE_TRIES_MAX) return { ...remote, tries: remote.tries + 1 };
  const reason = `the hub did not come up with it in ${REMOTE_TRIES_MAX} starts`;
  const refused = Object.keys(remote.values).map((key) => ({ key, reason }));
  return { ...remote, state: 'failed', values: {}, refused: [...remote.refused, ...refused] };
}
