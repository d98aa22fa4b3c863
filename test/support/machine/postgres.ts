/**
 * A PostgreSQL server of the test's own, in a folder of its own, on a free port of loopback, that can be killed and come
 * back. It does not run as root; as root it is given to the user that Debian's package made, or to nobody.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Log, SILENT_LOG } from '../../../src/base/log.ts';
import { machineTimers } from '../../../src/platform/clock.ts';
import { type Database, openDatabase } from '../../../src/platform/network/postgres.ts';
import { machineRandom } from '../../../src/platform/random.ts';
import { peer } from './peers.ts';
import { freePort } from './spawn.ts';

const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'shared_buffers=64MB',
  'max_connections=60',
  'fsync=on',
  'wal_level=minimal',
  'max_wal_senders=0',
  'autovacuum_naptime=5s',
];

const ASKS_EVERYBODY = ['host all all 127.0.0.1/32', 'local all all']
  .map((line) => `${line} scram-sha-256\n`)
  .join('');

export class PostgresServer {
  readonly port: number;
  readonly #dir: string;
  readonly #settings: readonly string[];
  #child: ChildProcess | undefined;
  #databases = 0;

  private constructor(dir: string, port: number, settings: readonly string[]) {
    this.#dir = dir;
    this.port = port;
    this.#settings = settings;
  }

  /** The owner calls `stop`. Its folder is made below `below`. */
  static async start(
    settings: readonly string[] = [],
    below: string = tmpdir(),
  ): Promise<PostgresServer> {
    const dir = mkdtempSync(join(below, 'heliograph-postgres-'));
    const { uid } = owner();
    if (uid !== undefined) chownSync(dir, uid, 0);
    const data = join(dir, 'data');
    execFileSync(
      program('initdb'),
      ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '--no-locale', '-E', 'UTF8'],
      { ...owner(), stdio: 'pipe', cwd: dir },
    );
    const server = new PostgresServer(dir, await freePort(), [...SETTINGS, ...settings]);
    await server.resume();
    return server;
  }

  /** Starts the server on the data that it had. */
  async resume(): Promise<void> {
    const settings = this.#settings.flatMap((setting) => ['-c', setting]);
    const args = [
      '-D',
      join(this.#dir, 'data'),
      '-p',
      String(this.port),
      '-k',
      this.#dir,
      ...settings,
    ];
    const child = spawn(program('postgres'), args, { ...owner(), cwd: this.#dir });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.stderr.on('data', (text: Buffer) => {
        said += text.toString();
        if (said.includes('ready to accept connections')) resolve();
      });
      child.once('exit', () => reject(new Error(`postgres ended:\n${said.slice(-2000)}`)));
    });
  }

  /** `SIGINT` ends it at once and in order, `SIGQUIT` as a crash does. */
  async halt(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  async stop(): Promise<void> {
    await this.halt('SIGQUIT');
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** By its socket, in a folder of the test's. */
  socketUrl(database: string): string {
    return `postgres://postgres@/${database}?host=${this.#dir}&port=${this.port}`;
  }

  url(database: string): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }

  /** From the next `resume` on it asks everybody for a password; `postgres` has this one. */
  async askForPasswords(password: string): Promise<void> {
    const server = await connect(this.url('postgres'));
    await server.query(`ALTER ROLE postgres PASSWORD '${password.replaceAll("'", "''")}'`);
    await server.close();
    writeFileSync(join(this.#dir, 'data/pg_hba.conf'), ASKS_EVERYBODY);
  }

  /** A new empty database; its name. */
  async create(): Promise<string> {
    this.#databases += 1;
    const name = `test_${this.#databases}`;
    const server = await connect(this.url('postgres'));
    await server.query(`CREATE DATABASE ${name}`);
    await server.close();
    return name;
  }
}

export function connect(
  url: string,
  connectionsMax = 6,
  password?: string,
  log: Log = SILENT_LOG,
): Promise<Database> {
  return openDatabase({
    url,
    ...(password === undefined ? {} : { password }),
    connectionsMax,
    timers: machineTimers,
    random: machineRandom,
    log,
  });
}

function program(name: string): string {
  const path = peer(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}

function owner(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  for (const user of ['postgres', 'nobody']) {
    try {
      const id = (which: string): number =>
        Number(execFileSync('id', [which, user], { stdio: 'pipe' }).toString());
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // No such user here: the next one.
    }
  }
  throw new Error('no user for PostgreSQL to run as');
}
