/** Contents from a hub by HTTP, in Node and in browsers. */
import { basicLogin } from '../../codec/basic-login.ts';
import { HubError } from '../../base/errors.ts';

/** Gets paths below `base`, such as `http://hub:8080`; user and password as for MQTT. */
export function fetcherOf(
  get: (url: URL, options: { headers: Record<string, string> }) => Promise<Response>,
  base: string,
  login: { readonly username?: string | undefined; readonly password?: string | undefined },
): (path: string) => Promise<Uint8Array> {
  const { username, password } = login;
  const headers: Record<string, string> =
    username === undefined ? {} : { authorization: basicLogin(username, password ?? '') };
  return async (path) => {
    const answer = await get(new URL(path, base), { headers });
    if (!answer.ok) throw new HubError('client.refused', `${path}: the hub says ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  };
}

/** Where the hub of a WebSocket address has its HTTP; undefined for any other address. */
export function httpOf(url: string): string | undefined {
  const { protocol, host } = new URL(url);
  if (protocol === 'ws:') return `http://${host}`;
  return protocol === 'wss:' ? `https://${host}` : undefined;
}
