/**
 * The SDK in a browser: log and state in IndexedDB, MQTT over WebSocket. Everything used here exists over plain HTTP
 * too; what does not (service workers, WebCrypto, Web Locks) is not needed, so a page that is open goes on working
 * without the hub, while loading it anew takes the hub.
 *
 * Each tab has an outbox and an origin of its own. A tab that closes leaves them to the next one that opens; whose
 * tab was put to sleep for long may find them taken, and begins with new ones after a reload.
 */
import { fetcherOf, httpOf } from './assets/fetch-bytes.ts';
import { Device } from './device.ts';
import type { DeviceOptions } from './options.ts';
import { IndexedDbStorage } from './storage/indexed-db.ts';
import { openMqttLink } from './link/mqtt-link.ts';
import { browserClock, browserRandom, browserTimers } from './browser-time.ts';

export * from './index.ts';

export interface BrowserOptions extends Omit<DeviceOptions, 'url'> {
  /** By default the hub that served the page. */
  readonly url?: string;
  /** Name of the database, where one page is several devices. */
  readonly database?: string;
}

export async function connect(options: BrowserOptions = {}): Promise<Device> {
  const { url = hubOfPage(), database = 'heliograph', ...rest } = options;
  const user = rest.username ?? '';
  const storage = await IndexedDbStorage.open(`${database}/${user}`, browserRandom, browserTimers);
  const device = await Device.open(
    { ...rest, url },
    {
      storage,
      openLink: openMqttLink,
      clock: browserClock,
      timers: browserTimers,
      random: browserRandom,
      fetchBytes: fetcherOf(
        (...args) => fetch(...args),
        rest.http ?? httpOf(url) ?? window.location.origin,
        rest,
      ),
    },
  );
  const closing = new AbortController();
  const { signal } = closing;
  device.onStatus(({ contact }) => {
    if (contact === 'closed') closing.abort();
  });
  const wake = (): void => device.wake();
  window.addEventListener('online', wake, { signal });
  window.addEventListener('offline', () => device.lose(), { signal });
  // A page that is not seen may be gone the next moment: nobody says so on a phone.
  const look = (): void => (document.hidden ? device.flush() : wake());
  document.addEventListener('visibilitychange', look, { signal });
  const leave = (): void => {
    device.flush();
    storage.letGo();
  };
  window.addEventListener('pagehide', leave, { signal });
  // Browsers keep pages that were left, and bring them back as they were.
  const comeBack = ({ persisted }: PageTransitionEvent): void => {
    if (persisted) void storage.comeBack().then(wake);
  };
  window.addEventListener('pageshow', comeBack, { signal });
  return device;
}

function hubOfPage(): string {
  const { protocol, host } = window.location;
  return `${protocol === 'https:' ? 'wss:' : 'ws:'}//${host}/mqtt`;
}
