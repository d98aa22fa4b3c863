/** `heliograph operator-key FILE`: makes the key pair that hubs encrypt their batches to. */
import { utf8 } from '../../base/bytes.ts';
import { makeOperatorKey } from '../../keys/batch-seal.ts';
import { type Args, UsageError } from '../args.ts';
import type { CliIo } from '../io.ts';
import { print } from '../print.ts';

export function makeOperatorKeyCommand(args: Args, io: CliIo): void {
  const path = args.operand(0);
  if (io.files.exists(path)) {
    throw new UsageError(
      `${path} is there already: whoever loses a private key loses what it opens`,
    );
  }
  const { publicKey, privatePem, keyId } = makeOperatorKey(io.random);
  io.files.replace(path, utf8(privatePem));
  print(args, io, { publicKey, keyId, file: path }, () => [publicKey]);
  io.stderr(`Key ${keyId}. Hubs: uplink.operator_key = "${publicKey}"\n`);
  io.stderr(
    `The regional node alone: regional.operator_key_file = "${path}". Keep a copy offline.\n`,
  );
}
