/** `heliograph identity new`: a new hub over the data of one whose key nobody has any more. */
import { HubError } from '../../base/errors.ts';
import { createLog } from '../../base/log.ts';
import { Closers } from '../../closers.ts';
import { isDataDirectory, takeDataDirectory } from '../../hub/data.ts';
import { takeNewIdentity } from '../../hub/identity.ts';
import { type Args, UsageError } from '../args.ts';
import { configOf } from '../config-options.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';

export async function newIdentityCommand(args: Args, io: CliIo): Promise<ExitCode> {
  const { data, security } = configOf(args, io);
  const { files, random } = io;
  if (!isDataDirectory(data, files)) {
    throw new HubError('data.unreadable', `${data} is not the data directory of a hub`);
  }
  const log = createLog(io.clock, 'warn', (line) => io.stderr(`${line}\n`));
  const closers = new Closers();
  try {
    const paths = takeDataDirectory(data, files, closers);
    const taken = takeNewIdentity(paths, { files, random, log });
    if (taken === undefined) {
      throw new UsageError(`The key in ${paths.identity} belongs to the data here: nothing to do.`);
    }
    const { id, formerly } = taken;
    if (args.has('json')) io.stdout(`${JSON.stringify({ id, formerly: formerly ?? null })}\n`);
    else io.stdout(`${id}\n`);
    const whose = formerly === undefined ? 'the hub before it' : `hub ${formerly}`;
    io.stderr(`This is hub ${id} now. It keeps the data of ${whose} and sends what waits.\n`);
    io.stderr('Start it, and see `heliograph doctor`.');
    if (security.mode === 'enrolled') io.stderr(' The site does not know it: enrol it anew.');
    io.stderr('\n');
    return EXIT.done;
  } finally {
    await closers.close();
  }
}
