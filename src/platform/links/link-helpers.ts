/**
 * What NetworkManager (`nmcli`) and ModemManager (`mmcli`) say of the devices, where they run. They are asked after the
 * kernel has told of a change, one at a time, with a limit on time and output; a helper that is not there is not asked
 * again for a while. Their words are read in the C locale.
 */
import { execFile } from 'node:child_process';

import type { Connectivity } from './links.ts';

export interface DeviceFacts {
  readonly isMetered?: boolean;
  readonly connectivity?: Connectivity;
  readonly isModem?: boolean;
}

/** Names of the programs; a test may name others. */
export interface HelperCommands {
  readonly nmcli: string;
  readonly mmcli: string;
}

export const HELPERS: HelperCommands = { nmcli: 'nmcli', mmcli: 'mmcli' };

const FIELDS =
  'GENERAL.DEVICE,GENERAL.TYPE,GENERAL.IP-IFACE,GENERAL.METERED,GENERAL.IP4-CONNECTIVITY';
const ASK_MS_MAX = 5_000;
const OUTPUT_BYTES_MAX = 256 << 10;
const MODEMS_MAX = 8;
const CONNECTIVITIES: readonly Connectivity[] = ['unknown', 'none', 'portal', 'limited', 'full'];

/** Facts by device name; what nobody speaks of is not in it. */
export async function askHelpers(commands: HelperCommands): Promise<Map<string, DeviceFacts>> {
  const facts = devicesOfNmcli(await ask(commands.nmcli, ['-t', '-f', FIELDS, 'device', 'show']));
  const modems = modemPaths(await ask(commands.mmcli, ['-L', '-J']));
  for (const path of modems) {
    for (const device of netPorts(await ask(commands.mmcli, ['-m', path, '-J']))) {
      facts.set(device, { ...facts.get(device), isModem: true });
    }
  }
  return facts;
}

/** The output, or nothing where the program is missing, fails or hangs. */
function ask(command: string, args: readonly string[]): Promise<string> {
  const options = {
    timeout: ASK_MS_MAX,
    maxBuffer: OUTPUT_BYTES_MAX,
    env: { ...process.env, LC_ALL: 'C' },
  };
  return new Promise((resolve) => {
    execFile(command, args, options, (error, output) => resolve(error === null ? output : ''));
  });
}

/** `KEY:value` lines, a blank one between devices; `METERED:yes (guessed)`, `IP4-CONNECTIVITY:2 (portal)`. */
export function devicesOfNmcli(output: string): Map<string, DeviceFacts> {
  const byDevice = new Map<string, DeviceFacts>();
  for (const block of output.split(/\n\s*\n/)) {
    const fields = new Map(block.split('\n').map((line) => fieldOf(line)));
    const name = fields.get('IP-IFACE') || fields.get('DEVICE');
    if (name === undefined || name === '') continue;
    const metered = /^(yes|no)\b/.exec(fields.get('METERED') ?? '')?.[1];
    const level = Number(/^\d/.exec(fields.get('IP4-CONNECTIVITY') ?? '')?.[0] ?? 0);
    const type = fields.get('TYPE');
    byDevice.set(name, {
      connectivity: CONNECTIVITIES[level] ?? 'unknown',
      ...(metered === undefined ? {} : { isMetered: metered === 'yes' }),
      ...(type === 'gsm' || type === 'cdma' ? { isModem: true } : {}),
    });
  }
  return byDevice;
}

function fieldOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  const value = line.slice(colon + 1).replaceAll('\\:', ':');
  return [line.slice(0, Math.max(0, colon)).replace(/^GENERAL\./, ''), value === '--' ? '' : value];
}

export function modemPaths(output: string): string[] {
  const list = (jsonOf(output) as { 'modem-list'?: unknown } | undefined)?.['modem-list'];
  if (!Array.isArray(list)) return [];
  const paths = list.filter((it): it is string => typeof it === 'string' && it.startsWith('/'));
  return paths.slice(0, MODEMS_MAX);
}

/** Network devices of a modem: `"wwan0 (net)"` among its ports. */
export function netPorts(output: string): string[] {
  type Modem = { modem?: { generic?: { ports?: unknown } } };
  const ports = (jsonOf(output) as Modem | undefined)?.modem?.generic?.ports;
  if (!Array.isArray(ports)) return [];
  return ports.flatMap((port) => /^(\S+) \(net\)$/.exec(String(port))?.slice(1) ?? []);
}

function jsonOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
