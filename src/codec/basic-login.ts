import { utf8 } from '../base/bytes.ts';

/** Value of `Authorization` for a name and a password (RFC 7617), in UTF-8, as hubs ask for. */
export function basicLogin(username: string, password: string): string {
  return `Basic ${btoa(String.fromCharCode(...utf8(`${username}:${password}`)))}`;
}
