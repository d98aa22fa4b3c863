/**
 * Every key of the configuration with its default, its limits and what it is for. The public part of it is
 * a contract: a key that goes or changes its meaning needs a note in deploy/CHANGELOG.md.
 *
 * Every limit of the program that a site may want to move is here; a limit that belongs to a format
 * (depth of CBOR, levels of a topic) is a constant beside its code.
 */
import { audit } from './audit.ts';
import {
  choice,
  type ConfigOf,
  FILTER,
  flag,
  HOST,
  list,
  number,
  optionalNumber,
  requiredText,
  rows,
  section,
  text,
  urlOf,
} from './fields.ts';
import { power } from './power.ts';
import { FILE, JURISDICTION, PORT, regional } from './regional.ts';
import { isTopicFilter } from '../model/topic.ts';

const PORT_OR_OFF = { min: 0, max: 65_535, note: '0: off' };
const QUOTA = { min: 0.1, max: 1e7, unit: 'MiB', whole: false };
const LINGER = { min: 0, max: 10_000, unit: 'ms' };

const SITE = {
  allowed: 'a name of 1 … 64 letters, digits, "-", "_" and "." (it is a level of MQTT topics)',
  holds: (value: string) => /^[A-Za-z0-9._-]{1,64}$/.test(value),
};

const CAPTURE_FILTER = {
  allowed: 'an MQTT topic filter that does not begin with "$", "sync/" or "hub/"',
  holds: (value: string) => isTopicFilter(value) && !/^(\$|sync(\/|$)|hub(\/|$))/.test(value),
};

const ESCROW_KEY = {
  allowed: 'an X25519 public key, 44 characters of base64, or empty',
  holds: (value: string) => value === '' || /^[A-Za-z0-9+/]{43}=$/.test(value),
};

const broker = section('MQTT for the devices of the site.', {
  host: text('127.0.0.1', 'Address to listen on; "0.0.0.0" or "::" for every interface.', HOST),
  port: number(1883, PORT, 'Plain MQTT.'),
  tls_port: number(0, PORT_OR_OFF, 'MQTT over TLS.'),
  tls_cert_file: text(
    '',
    "Certificate chain for tls_port, PEM; empty: one of the site's own authority, which devices trust by enrol/ca.pem.",
    FILE,
  ),
  tls_key_file: text('', 'Private key for tls_port, PEM.', FILE),
  tls_names: list(
    [],
    'Names and addresses in that own certificate, beside those that the machine knows of itself.',
    HOST,
  ),
  websocket: flag(true, 'MQTT over WebSocket at /mqtt of the HTTP port.'),
  connections_max: number(6000, { min: 1, max: 100_000 }, 'Connections at the same time.'),
  connect_timeout_s: number(10, { min: 1, max: 300, unit: 's' }, 'Time a client has to log in.'),
  packet_bytes_max: number(
    1_048_576,
    { min: 1024, max: 1_048_576, unit: 'bytes' },
    'Largest MQTT packet; a larger one closes its connection. Devices with the SDK and other hubs need all of it.',
  ),
  sessions_max: number(
    10_000,
    { min: 1, max: 1_000_000 },
    'Sessions that outlive their connection.',
  ),
  session_expiry_days: number(
    30,
    { min: 1, max: 3650, unit: 'days' },
    'Sessions whose device stays away longer are forgotten.',
  ),
  subscriptions_max: number(1000, { min: 1, max: 100_000 }, 'Subscriptions of one session.'),
  queue_messages_max: number(
    100_000,
    { min: 10, max: 10_000_000 },
    'Messages that wait for one absent subscriber; then the oldest give way, counted and shown.',
  ),
  queue_mib_max: number(
    64,
    { min: 1, max: 4096, unit: 'MiB' },
    'Memory of messages that are not in the journal and wait for subscribers, all together.',
  ),
  inflight_max: number(
    1000,
    { min: 1, max: 65_535 },
    'Unacknowledged messages towards one client; fewer make a long queue slow to deliver.',
  ),
  retained_max: number(10_000, { min: 0, max: 1_000_000 }, 'Retained messages.'),
  retained_mib_max: number(
    32,
    { min: 1, max: 4096, unit: 'MiB' },
    'Size of retained messages, all together.',
  ),
});

const http = section('The page and the API.', {
  host: text('127.0.0.1', 'Address to listen on.', HOST),
  port: number(8080, PORT, 'Page, API, metrics and MQTT over WebSocket.'),
  connections_max: number(256, { min: 4, max: 10_000 }, 'Connections at the same time.'),
});

const journal = section('The write-ahead log: what is acknowledged is in it.', {
  segment_mib: number(
    16,
    { min: 1, max: 1024, unit: 'MiB' },
    'Size of one file; files are recycled whole.',
  ),
  total_mib_max: number(
    4096,
    { min: 4, max: 1_048_576, unit: 'MiB' },
    'Size of all files together; a start that finds the journal full takes one segment more, for alarms.',
  ),
  free_mib_min: number(
    256,
    { min: 0, max: 1_048_576, unit: 'MiB' },
    'Space on the disk that is left to others; below it nothing new is accepted.',
  ),
  escrow_key: text(
    '',
    'X25519 public key of the operator, whose private half opens the journal when the hub has lost its own key.',
    ESCROW_KEY,
  ),
  on_full: choice(
    ['refuse', 'drop-bulk'],
    'refuse',
    'At the limit: refuse (low classes first), or drop-bulk (from three quarters on, the oldest bulk without receipt goes, if it alone is in the way; counted and shown).',
  ),
  keep_days: number(
    30,
    { min: 0, max: 3650, unit: 'days' },
    'Without an uplink: how long ops stay after they are folded into the store.',
  ),
  linger_ms: section('How long an op may wait for company before the card is asked to sync.', {
    alarm: number(0, LINGER, 'Class alarm.'),
    command: number(0, LINGER, 'Class command.'),
    record: number(0, LINGER, 'Class record.'),
    telemetry: number(2, LINGER, 'Class telemetry.'),
    preview: number(5, LINGER, 'Class preview.'),
    bulk: number(5, LINGER, 'Class bulk.'),
    log: number(200, LINGER, 'Class log.'),
    scarce: number(
      2000,
      LINGER,
      'Least for telemetry, preview, bulk and log while the battery is in state saver or below.',
    ),
  }),
});

const capture = rows(
  'Which publishes are journaled. First match wins; without any rule: all of QoS 1 and 2, class telemetry. With rules, what none matches is acknowledged and not kept; a last rule "#" keeps it.',
  1000,
  {
    filter: requiredText('Topics it is about.', CAPTURE_FILTER),
    class: choice(
      ['alarm', 'command', 'record', 'telemetry', 'preview', 'bulk'],
      'telemetry',
      'Priority on the way upstream, alarm first.',
    ),
    keep: choice(
      ['all', 'latest', 'none'],
      'all',
      'all messages travel | latest: earlier ones of a topic need not, though so far they do | none: plain MQTT, not journaled.',
    ),
  },
);

const store = section('Folded state, in SQLite; it can be rebuilt from the journal at any time.', {
  readings_days: number(
    30,
    { min: 0, max: 3650, unit: 'days' },
    'How long readings over time are kept.',
  ),
  record_ops_max: number(
    10_000,
    { min: 16, max: 1_000_000 },
    'So many edits of a record are kept one by one and can be undone; older ones are folded into what they come to.',
  ),
  edits_max: number(
    500_000,
    { min: 1000, max: 100_000_000 },
    'The same for all records together; beyond it the longest histories are halved.',
  ),
});

const assets = section('Contents of assets: photos, documents, recordings.', {
  total_mib_max: number(
    2048,
    { min: 1, max: 1_048_576, unit: 'MiB' },
    'Size of all together; then the longest unused of those that have a receipt go, else newcomers are refused.',
  ),
  file_mib_max: number(64, { min: 1, max: 1024, unit: 'MiB' }, 'Size of one.'),
  count_max: number(10_000, { min: 1, max: 1_000_000 }, 'How many, as total_mib_max.'),
  preview_megapixels_max: number(
    16,
    { min: 0, max: 100, unit: 'megapixels', whole: false },
    'Largest picture that a preview is made of, while power is normal or better; 0: none are made.',
  ),
});

const quotaMib = section(
  'MiB that a link may carry in a calendar month; absent: as many as it will.',
  {
    ethernet: optionalNumber(
      QUOTA,
      'Both directions. Previews and bulk leave a fifth of it; readings end with it, but for the batch that is underway; alarms, commands and records go on.',
    ),
    wifi: optionalNumber(QUOTA, 'As ethernet.'),
    cellular: optionalNumber(
      QUOTA,
      'As ethernet; also any link that NetworkManager calls metered.',
    ),
    satellite: optionalNumber(QUOTA, 'As ethernet.'),
  },
);

const uplink = section('The way to the regional node.', {
  url: text('', 'Broker upstream; empty: journal only.', urlOf('mqtt', 'mqtts')),
  link: choice(
    ['auto', 'ethernet', 'wifi', 'cellular', 'satellite'],
    'auto',
    'What carries it: decides what a session costs. auto: as the kernel and NetworkManager show.',
  ),
  link_of: list([], 'What a device is where nobody can see it: a satellite terminal at a cable.', {
    allowed: 'DEVICE=KIND, such as "eth1=satellite"',
    holds: (value) => /^[^=\s/]{1,15}=(ethernet|wifi|cellular|satellite)$/.test(value),
  }),
  quota_mib: quotaMib,
  username: text('', 'Name for the login upstream.'),
  password_file: text(
    '',
    'File with the password (or systemd credential `uplink-password`).',
    FILE,
  ),
  ca_file: text(
    '',
    'Certificates of the authority to trust for mqtts, PEM; empty: those of the system.',
    FILE,
  ),
  operator_key: text(
    '',
    'X25519 public key that batches are encrypted to (`heliograph operator-key`); empty: not encrypted.',
    ESCROW_KEY,
  ),
  jurisdiction: text(
    '',
    'Whose law the data of this site is under, such as "KE"; a region that may not store it refuses. Empty: not said.',
    JURISDICTION,
  ),
  keepalive_s: number(
    60,
    { min: 5, max: 3600, unit: 's' },
    'MQTT keep-alive while a session is open.',
  ),
  connect_timeout_s: number(30, { min: 2, max: 600, unit: 's' }, 'How long a login may take.'),
  check_in_minutes: number(
    60,
    { min: 0, max: 10_080, unit: 'min', note: '0: never' },
    'After so long without a session the region is asked for orders, while energy is not short; three times as long by Wi-Fi and cellular, six times by satellite. From 60 on, later where that keeps an idle day below 50 KB.',
  ),
  spool_mib_max: number(
    256,
    { min: 1, max: 65_536, unit: 'MiB' },
    'Batches that wait for their receipt.',
  ),
});

const peer = section('Hubs of the same site exchange what they have accepted.', {
  enabled: flag(
    false,
    'Dial the addresses below and hubs that are found, and answer hubs that dial this one.',
  ),
  addresses: list([], 'Brokers of other hubs.', {
    allowed: 'addresses such as "mqtt://hub2.local:1883"',
    holds: (value) => value !== '' && urlOf('mqtt', 'mqtts').holds(value),
  }),
  discover: choice(
    ['lan', 'off', 'loopback'],
    'lan',
    'Find hubs of this site by mDNS: on the networks that broker.host listens on | never | on this machine alone.',
  ),
  username: text('', 'Mode password: name for the login at other hubs, there of role operator.'),
  password_file: text('', 'File with the password (or systemd credential `peer-password`).', FILE),
  ca_file: text('', 'Certificates to trust for mqtts, PEM; not needed in mode enrolled.', FILE),
});

const security = section('Who may come in.', {
  mode: choice(
    ['open', 'password', 'enrolled'],
    'open',
    'open: anyone, on loopback only | password: users of `heliograph user` | enrolled: members of `heliograph enrol`.',
  ),
  allow_open_lan: flag(
    false,
    'Mode open on other addresses than loopback: anyone on the network may do all.',
  ),
});

const grant = rows(
  'What users may do beyond their role. %u is the user name, %c the client id.',
  1000,
  {
    user: text('', 'Whom it is for: this user …'),
    role: choice(
      ['', 'device', 'technician', 'supervisor', 'operator'],
      '',
      '… or everyone of this role.',
    ),
    publish: list([], 'Topics they may publish to.', FILTER),
    read: list([], 'Topics they may subscribe to.', FILTER),
  },
);

export const SCHEMA = {
  site: text('demo', "Name of the site; the hub's id is made at the first start.", SITE),
  data: text('./data', 'Directory of journal, store, keys and users.', {
    allowed: 'the path of a directory',
    holds: (value: string) => value !== '',
  }),
  data_note: text(
    '',
    'File on another disk than `data` that names the hub or region in that: one whose data are not mounted waits for them, and does not begin as a new one. Empty: none.',
    FILE,
  ),
  log_level: choice(['debug', 'info', 'warn', 'error'], 'info', 'Least level of the service log.'),
  broker,
  http,
  journal,
  capture,
  store,
  assets,
  audit,
  power,
  uplink,
  regional,
  peer,
  security,
  grant,
};

export type Config = ConfigOf<typeof SCHEMA>;
