/**
 * Everything the program takes from the machine it runs on, in one value: the real machine here, the twins
 * of platform/sim/ in tests and simulations.
 */
import type { Clock, Timers } from './base/clock.ts';
import type { Log } from './base/log.ts';
import type { Random } from './base/random.ts';
import { type Boot, machineBoot } from './platform/boot.ts';
import { ownProcessId } from './platform/children.ts';
import { MachineClock, machineTimers } from './platform/clock.ts';
import { type DriverFiles, machineDriverFiles } from './platform/files/driver-files.ts';
import type { Files } from './platform/files/files.ts';
import { type Host, MachineHost } from './platform/host.ts';
import type { Links } from './platform/links/links.ts';
import { MachineLinks } from './platform/links/machine-links.ts';
import { machineFiles } from './platform/files/machine-files.ts';
import { machineMqttClient } from './platform/network/machine-mqtt-client.ts';
import { machineNetwork } from './platform/network/machine-network.ts';
import type { Discovery } from './platform/network/discovery.ts';
import { machineDiscovery } from './platform/network/machine-discovery.ts';
import type { MqttClient } from './platform/network/mqtt-client.ts';
import type { Network } from './platform/network/network.ts';
import { machineRandom } from './platform/random.ts';
import { machineSerial, type SerialPorts } from './platform/serial.ts';
import { type ServiceManager, SystemdManager } from './platform/systemd.ts';
import { startThread, type StartThread } from './platform/threads.ts';

export interface Machine {
  readonly pid: number;
  readonly clock: Clock;
  /** Absent: what this process notes is of a boot of its own. */
  readonly boot?: Boot | undefined;
  readonly timers: Timers;
  readonly random: Random;
  readonly files: Files;
  readonly network: Network;
  readonly mqtt: MqttClient;
  /** Absent: nobody is found. */
  readonly discovery?: Discovery | undefined;
  readonly serial: SerialPorts;
  readonly drivers: DriverFiles;
  readonly links: Links;
  readonly host: Host;
  readonly manager: ServiceManager;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder of the page's files. */
  readonly pageDir: string;
  /** Module that makes previews, for a process of its own. */
  readonly previewMaker: URL;
  /** Starts the thread that packs batches; absent: there are no threads. */
  readonly packThread?: StartThread | undefined;
  readonly log: Log;
}

/** A batch of the largest size takes some 30 MiB on its way. */
const PACK_THREAD_LIMITS = { heapMib: 128, youngMib: 12 };

/** The thread of uplink/packing/pack-thread.ts, which the built program has beside it. */
export const startPackThread: StartThread = (listeners) => {
  const module = new URL('uplink/packing/pack-thread.js', import.meta.url);
  return startThread(module, PACK_THREAD_LIMITS, listeners);
};

/** The machine that this process runs on. */
export function thisMachine(env: Machine['env'], log: Log): Machine {
  return {
    pid: ownProcessId(),
    clock: new MachineClock(),
    boot: machineBoot(),
    timers: machineTimers,
    random: machineRandom,
    files: machineFiles,
    network: machineNetwork,
    mqtt: machineMqttClient,
    discovery: machineDiscovery(machineTimers),
    serial: machineSerial,
    drivers: machineDriverFiles,
    links: new MachineLinks({ timers: machineTimers }),
    host: new MachineHost(),
    manager: new SystemdManager(log, env),
    env,
    // Beside the built program, whose files lie in one folder.
    previewMaker: new URL('assets/previews/make-preview.js', import.meta.url),
    packThread: startPackThread,
    pageDir: decodeURIComponent(new URL('status/page', import.meta.url).pathname),
    log,
  };
}
