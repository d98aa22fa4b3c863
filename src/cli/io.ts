/** What a command takes from the world around it, so that a test can be that world. */
import type { Clock, Timers } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { Files } from '../platform/files/files.ts';
import type { HttpClient } from '../platform/network/http/http-client.ts';

export interface CliIo {
  /** Text as it is, line ends included. */
  stdout(text: string): void;
  stderr(text: string): void;
  /** Whether stdout is a terminal: colour and live lines only there. */
  readonly isTty: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly files: Files;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly http: HttpClient;
  /** Aborted by SIGINT and SIGTERM. Who reads it ends by it in order; until then either ends the process at once. */
  readonly signal: AbortSignal;
  /** Of the program. */
  readonly version: string;
}

/** Exit codes: a public contract. */
export const EXIT = {
  done: 0,
  /** The check or the operation failed. */
  failed: 1,
  /** Bad usage or bad config. */
  usage: 2,
  /** Another hub holds the data directory. */
  locked: 3,
  /** The hub does not answer. */
  unreachable: 4,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
