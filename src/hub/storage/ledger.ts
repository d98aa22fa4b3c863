/** The ledger of a running hub, and what HTTP serves of it. */
import { turn } from '../../base/clock.ts';
import type { Ground } from '../ground.ts';
import type { Journal } from '../../journal/journal.ts';
import { verifyEd25519 } from '../../keys/identity.ts';
import { Ledger } from '../../ledger/ledger.ts';
import { locateOp } from '../../ledger/locate.ts';
import { logName, verifierKey } from '../../ledger/note.ts';
import { parseProof } from '../../ledger/proof-file.ts';
import { decodeOp } from '../../model/op.ts';
import type { TransparencyLog } from '../../status/api/transparency.ts';

export function openLedger(ground: Ground, journal: Journal): Ledger {
  const { machine, paths, id, identity, closers } = ground;
  const { files, timers, log } = machine;
  return closers.add(
    Ledger.open({
      journal,
      files,
      timers,
      log,
      dir: paths.ledger,
      hub: id,
      signer: identity,
      verify: verifyEd25519,
      onFatal: (error) => ground.fail(error),
    }),
  );
}

export function servedLog(
  { machine, id, identity }: Ground,
  journal: Journal,
  ledger: Ledger,
): TransparencyLog {
  return {
    checkpoint: (opClass) => ledger.checkpoint(opClass),
    verifierKey: (opClass) => verifierKey(logName(id, opClass), identity.publicKey),
    cosigned: (opClass) => ledger.cosigned(opClass),
    since: (opClass, oldSize, size) => ledger.since(opClass, oldSize, size),
    tile: (opClass, level, index, width) => ledger.tile(opClass, level, index, width),
    locate: (name) => locateOp(journal, name, () => turn(machine.timers)),
    prove: (lsn) => {
      const text = ledger.prove(lsn);
      const proof = text === undefined ? undefined : parseProof(text);
      if (text === undefined || proof === undefined) return undefined;
      return { text, key: decodeOp(proof.op).key };
    },
  };
}
