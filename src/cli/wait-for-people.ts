/**
 * A node that cannot start, and that only a person can help: it says so to the service manager, and on the port of its page, because
 * who comes to the site opens that first. Then it ends, and is started again: what was mended meanwhile is noticed within a minute.
 * A page that answers 503 is neither health nor data; devices find no broker, and keep what they have.
 */
import { pause } from '../base/clock.ts';
import { type FaultCode, HubError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Machine } from '../machine.ts';
import { type HttpServer, serveHttp } from '../platform/network/http/http-server.ts';
import { PROBLEM_TYPE, problemText } from '../platform/network/http/refusal.ts';
import type { CliIo } from './io.ts';

/** Where the page of the node is looked for. */
export interface PagePlace {
  readonly host: string;
  readonly port: number;
  /** The key that asks for the port. */
  readonly key: string;
}

/**
 * Faults of a start that only a person can mend. A service manager would start us again at once, and each start is a second
 * of a small processor and some lines on the card.
 */
const FOR_PEOPLE: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'keys.lost',
  'keys.foreign',
  'keys.damaged',
  'enrol.lost',
  'journal.lost',
  'region.key-lost',
  'region.key-foreign',
  'journal.unsealable',
  'data.newer',
  'data.away',
  'data.read-only',
  'data.failing',
  'database.foreign',
]);
const WAIT_S = 60;
const RELOAD_S = 15;
const CONNECTIONS_MAX = 32;

/**
 * Returns at once where the fault is none of theirs, or nobody would start us again. Nothing is held meanwhile: the directory is free
 * for whoever mends it.
 */
export async function waitForPeople(
  error: unknown,
  place: PagePlace,
  { manager, log }: Pick<Machine, 'manager' | 'log'>,
  { timers, signal }: Pick<CliIo, 'timers' | 'signal'>,
): Promise<void> {
  if (!(error instanceof HubError) || !FOR_PEOPLE.has(error.code) || !manager.isThere) return;
  const { code, message, hint } = error;
  manager.status(`${message} (${code}). ${hint}`);
  log.error('node.waits', { code, reason: message, hint, seconds: WAIT_S });
  const page = await pageFor(error, place, log);
  await pause(timers, WAIT_S * 1_000, signal);
  await page?.close();
}

/** Undefined where the port is somebody's: then it is said elsewhere alone. */
async function pageFor(
  fault: HubError,
  place: PagePlace,
  log: Log,
): Promise<HttpServer | undefined> {
  try {
    return await sayOnPage(fault, place);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    log.warn('node.waits-unseen', { reason: messageOf(error) });
    return undefined;
  }
}

function sayOnPage(fault: HubError, { host, port, key }: PagePlace): Promise<HttpServer> {
  return serveHttp({
    host,
    port,
    purpose: key,
    connectionsMax: CONNECTIONS_MAX,
    fetch: ({ headers }) => answerOf(fault, headers.get('accept')?.includes('text/html') === true),
  });
}

/** For a browser a page, for a program a problem document (RFC 9457); whatever is asked for. */
function answerOf(fault: HubError, isPerson: boolean): Response {
  const detail = `${fault.message} (${fault.code}). ${fault.hint}`;
  return new Response(isPerson ? pageOf(fault) : problemText({ status: 503, detail }), {
    status: 503,
    headers: {
      'Content-Type': isPerson ? 'text/html; charset=utf-8' : PROBLEM_TYPE,
      'Cache-Control': 'no-store',
      'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
      'Retry-After': `${RELOAD_S}`,
    },
  });
}

const STYLE = `:root { color-scheme: light dark } body { font: 17px/1.5 system-ui, sans-serif; max-width: 36em; margin: 12vh auto; padding: 0 20px; overflow-wrap: anywhere }
h1 { font-size: 24px } code { font-size: 15px }`;

function pageOf({ code, message, hint }: HubError): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${RELOAD_S}"><title>Waits for help: ${code}</title><style>${STYLE}</style></head><body>
<h1>This node has not started, and waits for help</h1>
<p><b>${textInHtml(message)}</b> (<code>${code}</code>)</p>
<p>${textInHtml(hint)}</p>
<p>Devices are not served. What has been acknowledged stays where it is. The start is tried again every minute, and this page loads itself again.
More: <code>heliograph doctor</code>, <code>journalctl --unit heliograph</code>.</p>
</body></html>
`;
}

function textInHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
