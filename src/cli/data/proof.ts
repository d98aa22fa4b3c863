/** `heliograph proof …`: proofs that ops are in a hub's signed history. Made by the hub, checked by anyone, without it. */
import { EMPTY_BYTES, textOf } from '../../base/bytes.ts';
import { isoTime } from '../../base/iso-time.ts';
import { jsonOfCbor } from '../../codec/json.ts';
import { verifyEd25519 } from '../../keys/identity.ts';
import { publicKeyOfText } from '../../keys/public-key.ts';
import { verifyProof } from '../../ledger/proof-file.ts';
import {
  checkpointIn,
  isSince,
  type NotedCheckpoint,
  verifySince,
} from '../../ledger/since-file.ts';
import { CLASS_NAMES, classNamed } from '../../model/class.ts';
import { EVENT, KIND_NAMES } from '../../model/op.ts';
import { jsonOfPayload } from '../../status/http/values.ts';
import { type Args, UsageError } from '../args.ts';
import { HubApi } from '../asking/hub-api.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { print } from '../print.ts';
import { printable } from '../text.ts';

export async function proofCommand(args: Args, io: CliIo): Promise<void> {
  const op = args.operands[0] ?? '';
  io.stdout(await HubApi.of(args, io).text(`/api/v1/proof?op=${encodeURIComponent(op)}`));
}

/** `proof since OLD [NEW]`: the hashes from the hub, and behind them its checkpoint of now, or the one in NEW. */
export async function sinceCommand(args: Args, io: CliIo): Promise<void> {
  const [oldPath = '', newPath] = args.operands;
  const old = checkpointOf(oldPath, io);
  const opClass = old.origin.slice(old.origin.lastIndexOf('/') + 1);
  if (classNamed(opClass) === undefined) throw new UsageError(`${old.origin} is no log of a hub`);
  const later = newPath === undefined ? undefined : checkpointOf(newPath, io);
  const until = later === undefined ? '' : `/${later.size}`;
  const text = await HubApi.of(args, io).text(`/log/${opClass}/since/${old.size}${until}`);
  const hashes = text.slice(0, text.indexOf('\n\n') + 2);
  io.stdout(later === undefined ? text : hashes + later.note);
}

export function verifyProofCommand(args: Args, io: CliIo): ExitCode {
  const text = fileText(args.operands[0] ?? '', io);
  const key = keyOf(args, io);
  return isSince(text) ? verifiedHistory(text, key, args, io) : verifiedOp(text, key, args, io);
}

function verifiedHistory(text: string, key: Uint8Array, args: Args, io: CliIo): ExitCode {
  const since = args.text('since');
  if (since === undefined) {
    throw new UsageError('--since: the file with the checkpoint that this history goes on from');
  }
  const outcome = verifySince(text, fileText(since, io), key, verifyEd25519);
  if (outcome.kind === 'wrong') return provesNothing(outcome.why, args, io);
  const { old, head } = outcome;
  const found = { proven: true, log: head.origin, oldSize: old.size, size: head.size };
  print(args, io, found, () => [
    `Proven: ${head.origin} with ${head.size} ops begins with the ${old.size} of the earlier checkpoint.`,
  ]);
  return EXIT.done;
}

function verifiedOp(text: string, key: Uint8Array, args: Args, io: CliIo): ExitCode {
  if (args.has('since')) throw new UsageError('--since is for what `proof since` gives');
  const outcome = verifyProof(text, key, verifyEd25519);
  if (outcome.kind === 'wrong') return provesNothing(outcome.why, args, io);
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
  print(args, io, found, () => [
    `Proven: op ${op.origin}/${found.class}/${op.seq} is number ${index} of the ${head.size} in ${head.origin}.`,
    `${found.at}  ${found.kind}  ${printable(op.key)}  ${JSON.stringify(found.body)}`,
  ]);
  return EXIT.done;
}

function provesNothing(why: string, args: Args, io: CliIo): ExitCode {
  print(args, io, { proven: false, why }, () => [`This proves nothing: ${why}.`]);
  return EXIT.failed;
}

function fileText(path: string, io: CliIo): string {
  const bytes = io.files.read(path);
  if (bytes === undefined) throw new UsageError(`${path} is not there`);
  return textOf(bytes) ?? '';
}

function checkpointOf(path: string, io: CliIo): NotedCheckpoint {
  const checkpoint = checkpointIn(fileText(path, io));
  if (checkpoint === undefined) throw new UsageError(`${path} has no checkpoint of a hub in it`);
  return checkpoint;
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
