/** What the texts of `power.sources` mean, checked before anything is opened. */
import { HubError } from '../../base/errors.ts';
import { type ChipChoice, I2C_DEVICE, RAILS } from './hwmon.ts';

export type SourceSpec =
  | { readonly kind: 'auto' | 'none' | 'simulated' | 'sysfs' | 'hwmon' }
  | { readonly kind: 've-direct'; readonly path: string }
  | { readonly kind: 'chip'; readonly address: string; readonly rails?: ChipChoice['rails'] }
  | { readonly kind: 'venus-mqtt'; readonly url: string }
  | {
      readonly kind: 'mqtt';
      readonly topic: string;
      readonly path: string;
      readonly field?: string;
    };

const PLAIN = ['auto', 'none', 'simulated', 'sysfs', 'hwmon'] as const;

/** Throws `power.source-invalid` that says what would be valid. */
export function parseSource(text: string): SourceSpec {
  const plain = PLAIN.find((kind) => kind === text);
  if (plain !== undefined) return { kind: plain };
  const [kind, rest] = split(text, ':');
  if (kind === 've-direct' && rest.startsWith('/')) return { kind, path: rest };
  if (kind === 'venus-mqtt' && /^(mqtts?|wss?):\/\/[^/]/.test(rest)) return venusOf(text, rest);
  if (kind === 'mqtt') return parseTopic(text, rest);
  if (kind === 'hwmon') return parseChip(text, rest);
  throw invalid(text);
}

/** The text is shown in the page and in logs. */
function venusOf(text: string, url: string): SourceSpec {
  if (!url.includes('@')) return { kind: 'venus-mqtt', url };
  throw new HubError(
    'power.source-invalid',
    `power.sources: "${text.replace(/\/\/.*@/, '//…@')}": the login belongs into power.venus.username and power.venus.password_file`,
  );
}

/** `topic#json.path`, or `topic#json.path=field` where the name of the value does not say what it is. */
function parseTopic(text: string, rest: string): SourceSpec {
  const [topic, place] = split(rest, '#');
  const [path, field] = split(place, '=');
  if (topic === '' || /[+\0]/.test(topic) || path === '') throw invalid(text);
  return field === '' ? { kind: 'mqtt', topic, path } : { kind: 'mqtt', topic, path, field };
}

/** `1-0041`, or `1-0041=panel` where its label does not say what it measures; of an ina3221 `1-0041=battery,none,load`. */
function parseChip(text: string, rest: string): SourceSpec {
  const [address, names] = split(rest, '=');
  const named = names === '' ? [] : names.split(',');
  const rails = named.map((name) => [...RAILS, 'none' as const].find((rail) => rail === name));
  const isKnown = I2C_DEVICE.test(address) && rails.length <= 3 && !rails.includes(undefined);
  if (!isKnown) throw invalid(text);
  const chip = { kind: 'chip', address } as const;
  return names === '' ? chip : { ...chip, rails: rails.filter((rail) => rail !== undefined) };
}

/** Before and after the first `separator`; all before where there is none. */
function split(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function invalid(text: string): HubError {
  return new HubError(
    'power.source-invalid',
    `power.sources: "${text}" is none of auto, none, simulated, sysfs, hwmon, hwmon:1-0041=panel, ve-direct:/dev/…, ` +
      'venus-mqtt:mqtt://host, mqtt:topic#json.path',
  );
}
