/**
 * Speaks with a running hub: its address from --url, from what it left in its data directory, or from the
 * configuration; a user where it asks for one.
 */
import { basicLogin } from '../../codec/basic-login.ts';
import { textOf } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import { textIn } from '../../platform/files/files.ts';
import type { HttpAnswer, HttpBytes } from '../../platform/network/http/http-client.ts';
import type { Config } from '../../config/schema.ts';
import { type Runtime, runtimePath } from '../../hub/data/data.ts';
import type { StatusSnapshot } from '../../status/snapshot.ts';
import { type Args, type OptionSpec, UsageError } from '../args.ts';
import { CONFIG_OPTIONS, configOf } from '../config-options.ts';
import type { CliIo } from '../io.ts';

export const HUB_OPTIONS = {
  url: { value: 'URL', help: 'address of the hub, such as http://192.0.2.7:8080' },
  user: { value: 'NAME', help: 'user of the hub (modes password and enrolled)' },
  'password-file': { value: 'FILE', help: 'file with the password of the user' },
  ...CONFIG_OPTIONS,
} as const satisfies Readonly<Record<string, OptionSpec>>;

export class HubApi {
  readonly #io: CliIo;
  readonly #origin: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** Asks the node at `address`, such as one that `runtimeOf` gives. */
  constructor(address: string, args: Args, io: CliIo) {
    this.#io = io;
    this.#origin = originOf(address);
    this.#headers = loginOf(args, io);
  }

  /** Asks the hub that the arguments mean; throws `UsageError` and `ConfigError`. */
  static of(args: Args, io: CliIo): HubApi {
    return new HubApi(args.text('url') ?? addressOf(configOf(args, io), io), args, io);
  }

  /** The text of an answer of 200; throws `HubError` for all else. */
  async text(path: string): Promise<string> {
    const url = this.#origin + path;
    return this.#accepted(url, await this.#io.http.get(url, { headers: this.#headers })).text;
  }

  async json(path: string): Promise<unknown> {
    return this.#parsed(await this.text(path));
  }

  /** What a hub says of itself; throws `HubError` where something else answers. */
  async status(): Promise<StatusSnapshot> {
    const answer = await this.json('/api/v1/status');
    const said = typeof answer === 'object' && answer !== null ? answer : {};
    if ('hubId' in said) return said as StatusSnapshot;
    const what =
      'regionId' in said
        ? 'is a regional node, not a hub; its page shows its hubs'
        : 'is not a hub';
    throw new HubError('hub.unreachable', `${this.#origin} ${what}`);
  }

  /** Sends `body` as JSON; the JSON of an answer of 200, within 10 s unless said. */
  async post(path: string, body: unknown, answerMsMax?: number): Promise<unknown> {
    const url = this.#origin + path;
    const patience = answerMsMax === undefined ? {} : { answerMsMax };
    const answer = await this.#io.http.post(url, body, { headers: this.#headers, ...patience });
    return this.#parsed(this.#accepted(url, answer).text);
  }

  /** Sends and gets bytes; throws `HubError` for an answer that is none of `expected`. */
  async exchange(
    method: 'GET' | 'PUT',
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | undefined,
    expected: readonly number[],
  ): Promise<HttpBytes & { json(): unknown }> {
    const url = this.#origin + path;
    const ask = { headers: { ...this.#headers, ...headers } };
    const answer = await this.#io.http.exchange(url, method, ask, body);
    const text = (): string => new TextDecoder().decode(answer.bytes);
    if (!expected.includes(answer.status)) {
      this.#accepted(url, { status: answer.status === 200 ? 500 : answer.status, text: text() });
    }
    return { ...answer, json: () => this.#parsed(text()) };
  }

  #parsed(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new HubError('hub.unreachable', `${this.#origin} is not a hub: its answer is not JSON`);
    }
  }

  /** Calls back with each event until the stream or the command ends. */
  async follow(path: string, onData: (data: string) => void): Promise<void> {
    const url = this.#origin + path;
    const ask = { headers: this.#headers, signal: this.#io.signal };
    this.#accepted(url, await this.#io.http.follow(url, ask, onData));
  }

  #accepted(url: string, answer: HttpAnswer): HttpAnswer {
    if (answer.status === 200) return answer;
    if (answer.status === 401) {
      const isNamed = 'authorization' in this.#headers;
      const what = isNamed
        ? 'does not know this user with this password'
        : 'asks for a user and its password';
      throw new HubError('hub.refused', `${this.#origin} ${what}`);
    }
    const code = answer.status === 403 ? 'hub.refused' : 'hub.declined';
    throw new HubError(code, `${url} answers ${answer.status}${detailOf(answer.text)}`);
  }
}

function detailOf(text: string): string {
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown };
    return typeof detail === 'string' ? `: ${detail}` : '';
  } catch {
    return '';
  }
}

function originOf(url: string): string {
  if (!URL.canParse(url)) throw new UsageError(`--url is no address: ${url}`);
  const { origin, protocol } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new UsageError(`--url begins with http://`);
  return origin;
}

/** What the running hub says of itself, or where one with this configuration would listen. */
function addressOf(config: Config, io: CliIo): string {
  const announced = runtimeOf(config.data, io)?.http;
  if (announced !== undefined) return announced;
  const { host, port } = config.http;
  if (port === 0) {
    throw new HubError(
      'hub.unreachable',
      `no hub runs on ${config.data}, and http.port is 0: give --url`,
    );
  }
  const near = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${near.includes(':') ? `[${near}]` : near}:${port}`;
}

/** What the node that runs on the directory says of itself; undefined where none does, or where this user may not know. */
export function runtimeOf(dataDir: string, io: CliIo): Runtime | undefined {
  try {
    const text = textIn(io.files, runtimePath(dataDir));
    return text === '' ? undefined : (JSON.parse(text) as Runtime);
  } catch {
    return undefined;
  }
}

function loginOf(args: Args, io: CliIo): Readonly<Record<string, string>> {
  const user = args.text('user');
  const path = args.text('password-file');
  if (user === undefined && path === undefined) return {};
  if (user === undefined || path === undefined) {
    throw new UsageError('--user and --password-file go together');
  }
  const bytes = io.files.read(path);
  const password = bytes === undefined ? undefined : textOf(bytes)?.replace(/\r?\n$/, '');
  if (password === undefined)
    throw new UsageError(`--password-file: ${path} is not there or not a text`);
  return { authorization: basicLogin(user, password) };
}
