/** The processes of the demo: each a start of this very program, each ended by its id. */
import { utf8 } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import { makeOperatorKey } from '../../keys/batch-seal.ts';
import { Child, ownProgram } from '../../platform/children.ts';
import type { CliIo } from '../io.ts';
import type { Tally } from './devices.ts';

export interface Node {
  readonly mqtt: string;
  /** Ends with a slash. */
  readonly http: string;
}

interface RunningDevices {
  /** Resolves when the last publish was answered. */
  tally(): Promise<Tally>;
}

const CAPTURE =
  'capture=[{filter="alarms/#",class="alarm"},{filter="photos/#",class="bulk"},{filter="#"}]';
const HUB_SETS = [
  'site=demo',
  'broker.port=0',
  'log_level=warn',
  'journal.segment_mib=1',
  'journal.free_mib_min=64',
  'power.sources=["simulated"]',
  'power.capacity_wh=130',
  'power.panel_w=60',
  'power.base_load_w=4.5',
  'power.latitude=20',
  'power.seed=7',
  'uplink.link=cellular',
  CAPTURE,
];

export class Cast {
  readonly #io: CliIo;
  readonly #dir: string;
  readonly #children: Child[] = [];
  readonly #end = new AbortController();
  /** What the hub encrypts to, and the region alone opens. */
  readonly #operatorKey: { readonly publicKey: string; readonly privatePem: string };
  #devices: Child | undefined;

  /** `dir` holds the data of all; it goes with the demo. */
  constructor(io: CliIo, dir: string) {
    this.#io = io;
    this.#dir = dir;
    this.#operatorKey = makeOperatorKey(io.random);
  }

  /** Aborted when the processes are stopped. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  startRegion(): Promise<Node> {
    const keyFile = `${this.#dir}/operator.pem`;
    this.#io.files.replace(keyFile, utf8(this.#operatorKey.privatePem));
    const sets = [
      'regional.port=0',
      'regional.http_port=0',
      `regional.operator_key_file=${keyFile}`,
      'log_level=warn',
    ];
    return this.#startNode(['regional', 'run'], sets);
  }

  /** Takes any free port for the page where `port` is taken. */
  async startHub(plan: {
    readonly upstream: string;
    readonly port: number;
    readonly sets: readonly string[];
  }): Promise<Node> {
    const sets = [
      ...HUB_SETS,
      `uplink.url=${plan.upstream}`,
      `uplink.operator_key=${this.#operatorKey.publicKey}`,
      ...plan.sets,
    ];
    try {
      return await this.#startNode(['run'], [...sets, `http.port=${plan.port}`]);
    } catch (error) {
      if (plan.port === 0 || !(error instanceof HubError)) throw error;
      return this.#startNode(['run'], [...sets, 'http.port=0']);
    }
  }

  async startDevices(plan: {
    readonly url: string;
    readonly speed: number;
    readonly start: string;
    readonly hours: number;
  }): Promise<RunningDevices> {
    let tally: Tally = { published: 0, acknowledged: 0 };
    const child = await this.#start(['demo', 'devices', JSON.stringify(plan)], (line) => {
      tally = JSON.parse(line) as Tally;
    });
    this.#devices = child;
    // Not before: until there is something to judge, Ctrl-C ends the demo as it ends any other command.
    this.#io.signal.addEventListener('abort', () => this.#askDevices(), { once: true });
    return {
      tally: async () => {
        await child.exited;
        return tally;
      },
    };
  }

  /** Ends all processes, the newest first, and removes their data. */
  async stop(): Promise<void> {
    this.#end.abort();
    for (let child = this.#children.pop(); child !== undefined; child = this.#children.pop()) {
      await child.stop();
    }
    this.#io.files.remove(this.#dir);
  }

  /** Ctrl-C ends the devices; what they had acknowledged still gets its verdict. */
  #askDevices(): void {
    this.#devices?.signal('SIGTERM');
  }

  async #startNode(words: readonly string[], sets: readonly string[]): Promise<Node> {
    const args = [...words, '--data', this.#dir, ...sets.flatMap((set) => ['--set', set])];
    let isReady: (node: Node) => void = () => undefined;
    const ready = new Promise<Node>((resolve) => (isReady = resolve));
    const child = await this.#start(args, (line) => {
      const node = nodeOf(line);
      if (node !== undefined) isReady(node);
    });
    const ended = child.exited.then(({ code }): never => {
      throw new HubError(
        'hub.unreachable',
        `heliograph ${words.join(' ')} ended with code ${code}`,
      );
    });
    return Promise.race([ready, ended]);
  }

  async #start(args: readonly string[], onLine: (line: string) => void): Promise<Child> {
    const { command, entry } = ownProgram();
    const child = await Child.start({
      command,
      args: [entry, ...args],
      onLine,
      onErrorLine: (line) => this.#io.stderr(`${line}\n`),
    });
    this.#children.push(child);
    return child;
  }
}

/** Addresses of a `ready` line. */
function nodeOf(line: string): Node | undefined {
  if (!line.startsWith('ready ')) return undefined;
  const words = line.split(' ');
  const mqtt = words.find((word) => word.startsWith('mqtt://'));
  const http = words.find((word) => word.startsWith('http://'));
  return mqtt === undefined || http === undefined ? undefined : { mqtt, http };
}
