/** Who may come in, by `security.mode`: everyone on this machine, or the users of the data directory. */
import type { Config } from './config-schema.ts';
import type { Machine } from './machine.ts';
import { Acl } from './security/acl.ts';
import { type Gatekeeper, OPEN_GATEKEEPER, PasswordGatekeeper } from './security/gatekeeper.ts';
import { checkListening, isLoopback } from './security/listening.ts';
import { UserDirectory } from './security/users.ts';

export interface Access {
  readonly gatekeeper: Gatekeeper;
  /** Whether HTTP asks for a user. */
  readonly asksForUser: boolean;
  close(): void;
}

/** Throws `listen.refused` where mode `open` would let the network in without saying so. */
export function openAccess(config: Config, machine: Machine): Access {
  const { broker, http, security, grant } = config;
  const places = [
    { host: broker.host, key: 'broker.host' },
    { host: http.host, key: 'http.host' },
  ];
  checkListening(security, places);
  const { files, timers, log, clock, random } = machine;
  if (security.mode === 'open') {
    const open = places.filter(({ host }) => !isLoopback(host)).map(({ key }) => key);
    if (open.length > 0) log.warn('security.open-lan', { listens: open, anyone: 'may do all' });
    return { gatekeeper: OPEN_GATEKEEPER, asksForUser: false, close: () => undefined };
  }
  const users = UserDirectory.open({ files, dataDir: config.data, timers, log });
  if (users.size === 0) log.warn('security.no-users', { next: 'heliograph user add NAME' });
  const acl = new Acl(grant);
  const gatekeeper = new PasswordGatekeeper({ users, acl, clock, random, log });
  return { gatekeeper, asksForUser: true, close: () => users.close() };
}
