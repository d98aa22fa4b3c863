/** `heliograph proof …`: proofs that ops are in a hub's signed history. Made by the hub, checked by anyone, without it. */
import { EMPTY_BYTES, textOf } from '../../base/bytes.ts';
import { isoTime } from '../../base/iso-time.ts';
import { verifyEd25519 } from '../../keys/identity.ts';
import { publicKeyOfText } from '../../keys/public-key.ts';
import { verifyProof } from '../../ledger/proof-file.ts';
import { CLASS_NAMES } from '../../model/class.ts';
import { EVENT, KIND_NAMES } from '../../model/op.ts';
import { jsonOfCbor, jsonOfPayload } from '../../status/http/values.ts';
import { type Args, UsageError } from '../args.ts';
import { HubApi } from '../asking/hub-api.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { printable } from '../text.ts';

export async function proofCommand(args: Args, io: CliIo): Promise<ExitCode> {
  const op = args.operands[0] ?? '';
  io.stdout(await HubApi.of(args, io).text(`/api/v1/proof?op=${encodeURIComponent(op)}`));
  return EXIT.done;
}

export function verifyProofCommand(args: Args, io: CliIo): Promise<ExitCode> {
  const path = args.operands[0] ?? '';
  const bytes = io.files.read(path);
  if (bytes === undefined) throw new UsageError(`${path} is not there`);
  const text = textOf(bytes) ?? '';
  const outcome = verifyProof(text, keyOf(args, io), verifyEd25519);
  if (outcome.kind === 'wrong') {
    if (args.has('json')) io.stdout(`${JSON.stringify({ proven: false, why: outcome.why })}\n`);
    else io.stdout(`This proves nothing: ${outcome.why}.\n`);
    return Promise.resolve(EXIT.failed);
  }
  const { op, index, head } = outcome;
  const found = {
    proven: true,
    log: head.origin,
    index,
    size: head.size,
    origin: op.origin,
    class: CLASS_NAMES[op.class],
    seq: op.seq,
    at: isoTime(op.hlc.ms),
    kind: KIND_NAMES[op.kind],
    key: op.key,
    body: op.kind === EVENT ? jsonOfPayload(op.body) : jsonOfCbor(op.body),
  };
  if (args.has('json')) io.stdout(`${JSON.stringify(found)}\n`);
  else {
    io.stdout(
      `Proven: op ${op.origin}/${found.class}/${op.seq} is number ${index} of the ${head.size} in ${head.origin}.\n` +
        `${found.at}  ${found.kind}  ${printable(op.key)}  ${JSON.stringify(found.body)}\n`,
    );
  }
  return Promise.resolve(EXIT.done);
}

/** `--key`: the key itself, or a file with it. */
function keyOf(args: Args, io: CliIo): Uint8Array {
  const given = args.text('key');
  if (given === undefined)
    throw new UsageError('--key: the public key of the hub, or a file with it');
  const kept = io.files.exists(given) ? textOf(io.files.read(given) ?? EMPTY_BYTES) : undefined;
  const key = publicKeyOfText(kept ?? given);
  if (key === undefined) throw new UsageError(`--key: ${given} is no Ed25519 public key`);
  return key;
}
