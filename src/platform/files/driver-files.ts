/**
 * Files below /sys behind which a driver answers. It may take its time, and one whose bus hangs never answers: no thread of
 * ours may wait for it, since a process with a thread that waits cannot end. So a small shell reads for each who asks; it sleeps
 * until it is asked again, and ends with us. The simulated twin is sim/driver-files.ts.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/** By path, without the blanks around it; what says nothing is not in it. */
export type DriverTexts = ReadonlyMap<string, string>;

export interface DriverReader {
  /** What the files say. One question at a time; it may never be answered, and is not after `close`. */
  read(paths: readonly string[], onAnswer: (texts: DriverTexts) => void): void;
  /** Waits for nobody. */
  close(): void;
}

export interface DriverFiles {
  /** A reader of its own for each who asks: one that hangs is nobody else's trouble. */
  open(): DriverReader;
}

export const machineDriverFiles: DriverFiles = { open: () => new ShellReader() };

/** A path a line, a blank line for the end; the answer is `path NUL line` for each line of each file, and NUL alone for its end. */
const SCRIPT = `
  while IFS= read -r path; do
    if [ -n "$path" ]; then set -- "$@" "$path"; continue; fi
    grep -saZH '' "$@" </dev/null
    printf '\\0\\n'
    set --
  done
`;
const END = '\0\n';
const ANSWER_BYTES_MAX = 256 << 10;

class ShellReader implements DriverReader {
  #shell: ChildProcessByStdio<Writable, Readable, null> | undefined;
  #onAnswer: ((texts: DriverTexts) => void) | undefined;
  #heard = '';

  read(paths: readonly string[], onAnswer: (texts: DriverTexts) => void): void {
    this.#onAnswer = onAnswer;
    this.#heard = '';
    this.#shell ??= this.#start();
    const named = paths.filter((path) => !path.includes('\n'));
    this.#shell.stdin.write(`${[...named, ''].join('\n')}\n`);
  }

  close(): void {
    this.#onAnswer = undefined;
    this.#end();
  }

  #start(): ChildProcessByStdio<Writable, Readable, null> {
    const shell = spawn('sh', ['-c', SCRIPT], {
      stdio: ['pipe', 'pipe', 'ignore'],
      // A group of its own: what it has started ends with it.
      detached: true,
      env: { ...process.env, LC_ALL: 'C' },
    });
    const gone = (): void => {
      if (this.#shell !== shell) return;
      this.#end();
      this.#answer();
    };
    shell.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (this.#shell === shell) this.#hear(text);
    });
    // A shell that is gone is told by its end.
    shell.stdin.on('error', gone);
    shell.once('error', gone);
    shell.once('close', gone);
    return shell;
  }

  #hear(text: string): void {
    this.#heard += text;
    if (this.#heard === END || this.#heard.endsWith(`\n${END}`)) return this.#answer();
    if (this.#heard.length < ANSWER_BYTES_MAX) return;
    // No driver has so much to say.
    this.#heard = '';
    this.#end();
    this.#answer();
  }

  #answer(): void {
    const onAnswer = this.#onAnswer;
    this.#onAnswer = undefined;
    onAnswer?.(textsIn(this.#heard));
  }

  #end(): void {
    const shell = this.#shell;
    this.#shell = undefined;
    if (shell === undefined) return;
    shell.stdin.destroy();
    shell.stdout.destroy();
    shell.unref();
    endGroup(shell.pid);
  }
}

function endGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function textsIn(heard: string): DriverTexts {
  const texts = new Map<string, string>();
  for (const line of heard.split('\n')) {
    const at = line.indexOf('\0');
    if (at <= 0) continue;
    const path = line.slice(0, at);
    const before = texts.get(path);
    const text = line.slice(at + 1);
    texts.set(path, before === undefined ? text : `${before}\n${text}`);
  }
  for (const [path, text] of texts) texts.set(path, text.trim());
  return texts;
}
