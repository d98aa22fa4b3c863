/** Mode `open` lets everyone in, so it may listen only where everyone is on this machine already. */
import { HubError } from '../base/errors.ts';

export interface ListeningPlace {
  readonly host: string;
  /** The key that asks for it: `broker.host`. */
  readonly key: string;
}

interface ListeningRule {
  readonly mode: 'open' | 'password' | 'enrolled';
  readonly allowOpenLan: boolean;
}

/** Throws `HubError('listen.refused')` that names every place where mode `open` would listen to the network. */
export function checkListening(rule: ListeningRule, places: readonly ListeningPlace[]): void {
  if (rule.mode !== 'open' || rule.allowOpenLan) return;
  const refused = places.filter(({ host }) => !isLoopback(host));
  if (refused.length === 0) return;
  const names = refused.map(({ key, host }) => `${key} = "${host}"`).join(', ');
  throw new HubError('listen.refused', `security.mode is "open", but ${names} is not loopback`);
}

/** True for addresses that only this machine can reach. A host name counts only where it is `localhost`. */
export function isLoopback(host: string): boolean {
  const plain = host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/^::ffff:/, '');
  return plain === 'localhost' || plain === '::1' || /^127(\.\d{1,3}){3}$/.test(plain);
}
