/**
 * Who may ask over HTTP, the same on hub and regional node. In modes `password` and `enrolled` every path asks for
 * a user (HTTP Basic, RFC 7617), but /healthz and /api/v1/enrol, where a token does the same. Without users, requests that name another host than this machine are
 * refused, so that no web site can point its own name at loopback and read along (DNS rebinding).
 *
 * What changes something asks more: a web site that a browser of the site has open beside ours must not be
 * able to do it with the browser's login (cross-site request forgery). So the body must be JSON, which
 * no form can send and no script may send elsewhere without asking first, and where the browser says
 * whence it comes, that must be here.
 */
import { textOf } from '../../base/bytes.ts';
import type { Role } from '../../model/op.ts';
import { problem } from './problem.ts';

export interface HttpPrincipal {
  readonly name: string;
  readonly role: Role;
  readonly clientId: string;
}

export interface Authenticator {
  authenticate(login: {
    readonly clientId: string;
    readonly username: string;
    readonly password: Uint8Array;
    readonly remote: string;
  }): Promise<HttpPrincipal | undefined>;
  mayRead(who: HttpPrincipal, key: string): boolean;
}

/** Says whether the one who asks may see the key. */
export type MayRead = (key: string) => boolean;

export interface LoginOptions {
  /** In modes `password` and `enrolled`. */
  readonly auth?: Authenticator;
  /** Whether a request may name this host; absent: any. */
  readonly acceptsHost?: (hostname: string) => boolean;
}

type Admission =
  | { readonly kind: 'refused'; readonly answer: Response }
  /** `principal`: undefined where nobody is asked for. */
  | { readonly kind: 'admitted'; readonly principal: HttpPrincipal | undefined };

/** The notebook asks for name and password itself, by MQTT; its files hold nothing that anybody must not see. */
const OPEN_PATHS: ReadonlySet<string> = new Set([
  '/healthz',
  '/api/v1/enrol',
  '/notebook',
  '/notebook.js',
  '/notebook.css',
  '/ground.css',
  '/icon.svg',
]);

export async function admit(
  { auth, acceptsHost }: LoginOptions,
  request: Request,
  remote: string,
): Promise<Admission> {
  const { hostname, pathname } = new URL(request.url);
  if (acceptsHost?.(hostname) === false) {
    return refused(problem(421, `Nobody answers for ${hostname} here; use the address.`));
  }
  if (auth === undefined || OPEN_PATHS.has(pathname)) {
    return { kind: 'admitted', principal: undefined };
  }
  const login = basicLogin(request.headers.get('authorization') ?? '');
  const principal =
    login === undefined
      ? undefined
      : await auth.authenticate({ ...login, clientId: 'http', remote });
  if (principal !== undefined) return { kind: 'admitted', principal };
  const challenge = { 'WWW-Authenticate': 'Basic realm="heliograph", charset="UTF-8"' };
  return refused(problem(401, 'Name and password of a user, please.', challenge));
}

/** The refusal of a request that would change something, or undefined where it may. */
export function refuseForgery(request: Request): Response | undefined {
  const type = request.headers.get('content-type') ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    return problem(415, 'The body is JSON: Content-Type: application/json.');
  }
  return refuseStrangeOrigin(request);
}

/** The refusal of a request that a page of another web site made. */
export function refuseStrangeOrigin(request: Request): Response | undefined {
  const origin = request.headers.get('origin');
  const isHere =
    origin === null || (URL.canParse(origin) && new URL(origin).host === new URL(request.url).host);
  const site = request.headers.get('sec-fetch-site') ?? 'none';
  if (isHere && (site === 'same-origin' || site === 'none')) return undefined;
  return problem(403, 'Only the own page may do this, no other web site.');
}

function refused(answer: Response): Admission {
  return { kind: 'refused', answer };
}

/** Name and password of `Authorization: Basic …` (RFC 7617). */
function basicLogin(header: string): { username: string; password: Uint8Array } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/=]{1,2048})$/i.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(encoded), (sign) => sign.charCodeAt(0));
  } catch {
    return undefined;
  }
  const colon = bytes.indexOf(0x3a);
  const username = colon < 0 ? undefined : textOf(bytes.subarray(0, colon));
  return username === undefined ? undefined : { username, password: bytes.subarray(colon + 1) };
}
