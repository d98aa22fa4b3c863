/**
 * Each connection is an open file, and what a process may have of them is set by whoever started it (`LimitNOFILE`, `ulimit -n`). Without
 * a file left the journal cannot open its next segment, and the hub dies of its devices. So places for connections are only as
 * many as leave enough for the hub itself; who comes beyond is turned away as at `broker.connections_max`.
 */
import type { Config } from '../../config/schema.ts';
import type { Machine } from '../../machine.ts';

/** Journal, store, uplink, peers, assets that are being read, and what the program itself holds: some 40 at rest. */
const OWN_FILES = 100;
const BROKER_LEAST = 8;
const HTTP_LEAST = 4;

/** The configuration with as many connections as there are files for. */
export function withinOpenFiles(
  config: Config,
  {
    host,
    log,
  }: { readonly host: Pick<Machine['host'], 'openFilesMax'>; readonly log: Machine['log'] },
): Config {
  const { broker, http } = config;
  const ports = broker.tlsPort === 0 ? 1 : 2;
  const left = host.openFilesMax() - OWN_FILES;
  if (ports * broker.connectionsMax + http.connectionsMax <= left) return config;
  const pages = Math.min(http.connectionsMax, Math.max(HTTP_LEAST, Math.floor(left / 4)));
  const places = Math.max(BROKER_LEAST, Math.floor((left - pages) / ports));
  const devices = Math.min(broker.connectionsMax, places);
  log.warn('hub.open-files-few', {
    openFiles: host.openFilesMax(),
    'broker.connections_max': devices,
    'http.connections_max': pages,
    next: 'raise LimitNOFILE of the unit, or `ulimit -n`',
  });
  return {
    ...config,
    broker: { ...broker, connectionsMax: devices },
    http: { ...http, connectionsMax: pages },
  };
}
