/**
 * What keys of the configuration must keep among each other: what would be without effect is refused instead of
 * ignored, so that nobody believes that it protects anything.
 */
import type { Config } from './schema.ts';

interface BrokenRule {
  /** The keys that the rule is about, the likeliest culprit first. */
  readonly keys: readonly [string, ...string[]];
  readonly message: string;
}

interface Rule extends BrokenRule {
  readonly broken: (config: Config) => boolean;
}

const TOGETHER: readonly Rule[] = [
  {
    keys: ['journal.on_full', 'uplink.url'],
    broken: ({ journal, uplink }) => journal.onFull === 'drop-bulk' && uplink.url === '',
    message:
      'drop-bulk is about what waits for an uplink, and uplink.url is empty: journal.keep_days says when ops go',
  },
  {
    keys: ['http.port', 'broker.port'],
    broken: ({ broker, http }) => broker.port !== 0 && broker.port === http.port,
    message: 'is the port of broker.port too; give each its own',
  },
  {
    keys: ['broker.tls_port', 'broker.port', 'http.port'],
    broken: ({ broker, http }) =>
      broker.tlsPort !== 0 && (broker.tlsPort === broker.port || broker.tlsPort === http.port),
    message: 'is the port of broker.port or http.port too; give each its own',
  },
  {
    keys: ['broker.tls_port', 'broker.tls_cert_file', 'broker.tls_key_file'],
    broken: ({ broker }) =>
      broker.tlsPort !== 0 && (broker.tlsCertFile === '') !== (broker.tlsKeyFile === ''),
    message: 'needs both broker.tls_cert_file and broker.tls_key_file, or neither',
  },
  {
    keys: ['journal.total_mib_max', 'journal.segment_mib'],
    broken: ({ journal }) => journal.totalMibMax < 3 * journal.segmentMib,
    message: 'must hold at least three segments of journal.segment_mib',
  },
  {
    keys: ['power.sources'],
    broken: ({ power }) => power.sources.length > 1 && power.sources.includes('none'),
    message: '"none" (on mains) stands alone; name either it or sources',
  },
  {
    keys: ['peer.addresses', 'peer.enabled'],
    broken: ({ peer }) => peer.addresses.length > 0 && !peer.enabled,
    message: 'is of no use without peer.enabled = true',
  },
  {
    keys: ['peer.addresses', 'security.mode'],
    broken: ({ peer, security }) =>
      security.mode === 'enrolled' && peer.addresses.some((url) => url.startsWith('mqtt:')),
    message: 'in mode enrolled hubs know each other by certificate: mqtts://HOST:TLS_PORT',
  },
  {
    keys: ['uplink.username', 'uplink.url'],
    broken: ({ uplink }) => uplink.username !== '' && uplink.url === '',
    message: 'is of no use without uplink.url',
  },
];

/** Pairs of thresholds: the first must be below the second where both are given. */
const RISING = [
  ['bulk_pause', 'bulk_resume'],
  ['telemetry_pause', 'telemetry_resume'],
  ['telemetry_pause', 'bulk_pause'],
  ['alarms_stop', 'telemetry_pause'],
  ['shutdown', 'alarms_stop'],
  ['shutdown', 'restart'],
] as const;

/** Every rule that `config` breaks. */
export function brokenRules(config: Config): BrokenRule[] {
  const broken: BrokenRule[] = TOGETHER.filter((rule) => rule.broken(config));
  return [...broken, ...thresholdRules(config), ...rowRules(config)];
}

function thresholdRules({ power: { thresholds } }: Config): BrokenRule[] {
  const valueOf = new Map(
    Object.entries(thresholds).map(([name, value]) => [name.toLowerCase(), value] as const),
  );
  const broken: BrokenRule[] = [];
  for (const unit of ['pct', 'v']) {
    for (const [low, high] of RISING) {
      const lower = valueOf.get(`${low}_${unit}`.replaceAll('_', ''));
      const higher = valueOf.get(`${high}_${unit}`.replaceAll('_', ''));
      if (lower === undefined || higher === undefined || lower < higher) continue;
      const keys = [`power.thresholds.${low}_${unit}`, `power.thresholds.${high}_${unit}`] as const;
      broken.push({ keys, message: `${lower} must be below ${keys[1]}, which is ${higher}` });
    }
  }
  return broken;
}

function rowRules(config: Config): BrokenRule[] {
  const broken: BrokenRule[] = [];
  const filters = new Map<string, number>();
  for (const [index, { filter }] of config.capture.entries()) {
    const earlier = filters.get(filter);
    if (earlier === undefined) filters.set(filter, index);
    else {
      const message = `never matches: capture[${earlier}] has the same filter and comes first`;
      broken.push({ keys: [`capture[${index}].filter`], message });
    }
  }
  for (const [index, { user, role }] of config.grant.entries()) {
    if ((user === '') !== (role === '')) continue;
    broken.push({ keys: [`grant[${index}].user`], message: 'name either a user or a role' });
  }
  return broken;
}
