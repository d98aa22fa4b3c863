/** Section `power` of the configuration (schema.ts). */
import { wallMsOfIso } from '../base/iso-time.ts';
import { choice, list, number, optionalNumber, section, text } from './fields.ts';
import { FILE } from './regional.ts';

const PERCENT = { min: 0, max: 100, unit: '%', whole: false };
const VOLTS = { min: 1, max: 1000, unit: 'V', whole: false };

const POWER_SOURCE = {
  allowed:
    'auto, none, simulated, sysfs, hwmon, hwmon:1-0041=panel, ve-direct:/dev/…, venus-mqtt:mqtt://host, mqtt:topic#json.path',
  holds: (value: string) =>
    /^(auto|none|simulated|sysfs|hwmon(:\d+-[0-9a-f]{4}(=(battery|panel|load|none)(,(battery|panel|load|none)){0,2})?)?|ve-direct:\/.+|venus-mqtt:mqtts?:\/\/.+|mqtt:[^#+]+#.+)$/.test(
      value,
    ),
};

const MOMENT = {
  allowed: 'an RFC 3339 time such as "2026-06-21T16:00:00Z", or empty',
  holds: (value: string) => value === '' || wallMsOfIso(value) !== undefined,
};

const thresholds = section(
  'Where the states of power begin; a key that is absent follows the chemistry (OPERATING.md, Power).',
  {
    bulk_pause_pct: optionalNumber(PERCENT, 'Below: bulk, preview and records wait (state saver).'),
    bulk_resume_pct: optionalNumber(PERCENT, 'At or above: state normal again.'),
    telemetry_pause_pct: optionalNumber(
      PERCENT,
      'Below: alarms and commands; the rest waits as long as it may (state critical).',
    ),
    telemetry_resume_pct: optionalNumber(PERCENT, 'At or above: state saver again.'),
    alarms_stop_pct: optionalNumber(PERCENT, 'Below: nothing is sent (state shutdown).'),
    shutdown_pct: optionalNumber(PERCENT, 'Below: the site may be powered off.'),
    restart_pct: optionalNumber(
      PERCENT,
      'At or above: service again after a shutdown; sooner while the battery charges.',
    ),
    bulk_pause_v: optionalNumber(VOLTS, 'As bulk_pause_pct, where only the voltage is known.'),
    bulk_resume_v: optionalNumber(VOLTS, 'As bulk_resume_pct.'),
    telemetry_pause_v: optionalNumber(VOLTS, 'As telemetry_pause_pct.'),
    telemetry_resume_v: optionalNumber(VOLTS, 'As telemetry_resume_pct.'),
    alarms_stop_v: optionalNumber(VOLTS, 'As alarms_stop_pct.'),
    shutdown_v: optionalNumber(VOLTS, 'As shutdown_pct.'),
    restart_v: optionalNumber(VOLTS, 'As restart_pct.'),
  },
);

const venus = section(
  'Login at a GX, source `venus-mqtt:`; with its password set it asks for one.',
  {
    username: text(
      '',
      'Name for the login; empty: heliograph, as a GX looks at the password alone.',
    ),
    password_file: text(
      '',
      'File with the password (or systemd credential `venus-password`).',
      FILE,
    ),
    ca_file: text('', 'Certificates to trust for mqtts, PEM; empty: those of the system.', FILE),
  },
);

export const power = section('Battery, panel and where the hub reads about them.', {
  sources: list(
    ['auto'],
    'In order of trust; "none": on mains, always state normal.',
    POWER_SOURCE,
  ),
  chemistry: choice(['lifepo4', 'lead-acid'], 'lifepo4', 'Of the battery.'),
  nominal_v: number(
    12,
    { min: 1, max: 1000, unit: 'V', whole: false },
    'Nominal voltage of the battery.',
  ),
  capacity_wh: number(
    256,
    { min: 1, max: 1e7, unit: 'Wh', whole: false },
    'Usable size of the battery.',
  ),
  panel_w: number(60, { min: 0, max: 1e6, unit: 'W', whole: false }, 'Peak power of the panel.'),
  base_load_w: number(
    3.2,
    { min: 0, max: 1e5, unit: 'W', whole: false },
    'What the site draws all the time; used where no source measures the load.',
  ),
  latitude: number(0, { min: -90, max: 90, unit: 'degrees', whole: false }, 'North is positive.'),
  longitude: number(0, { min: -180, max: 180, unit: 'degrees', whole: false }, 'East is positive.'),
  seed: number(1, { min: 0, max: 4_294_967_295 }, 'Source `simulated`: the weather it rolls.'),
  time_speed: number(
    1,
    { min: 1, max: 100_000, unit: 'times', whole: false },
    'Source `simulated`: how much faster than the clock its days pass.',
  ),
  time_start: text('', 'Source `simulated`: the moment its time begins at; empty: now.', MOMENT),
  venus,
  thresholds,
});
