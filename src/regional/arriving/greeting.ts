/** The answer to a hello. Why a hub will send nothing here, it finds in it; that is said in our log too. */
import { bytesEqual, hexOf } from '../../base/bytes.ts';
import type { Log } from '../../base/log.ts';
import type { Signer } from '../../batch/manifest.ts';
import type { PayloadOpener } from '../../batch/payload-seal.ts';
import { storedText } from '../../batch/wire/jurisdictions.ts';
import {
  type DownHello,
  encodeDownHello,
  type Hello,
  READABLE,
} from '../../batch/wire/messages.ts';

export interface Terms {
  readonly opener?: PayloadOpener | undefined;
  readonly jurisdictions?: readonly string[] | undefined;
  readonly signer: Signer;
  readonly software: string;
  readonly log: Log;
}

export function greetingFor(
  hello: Hello,
  terms: Terms,
  more: Pick<DownHello, 'waiting' | 'heals' | 'forgot' | 'wait' | 'brief'>,
): Uint8Array {
  const { opener, jurisdictions, signer, software } = terms;
  const stores = jurisdictions === undefined ? {} : { jurisdictions };
  const opens = opener === undefined ? {} : { opens: opener.keyIds };
  const told = { hub: hello.hub, nonce: hello.nonce, software, ...READABLE, resumes: true };
  return encodeDownHello({ ...told, ...opens, ...stores, ...more }, signer);
}

/** Why the hub will send nothing here until somebody puts it right; undefined where nothing hinders it. Told in the log, too. */
export function hindranceTo(
  { site, hub, sealedTo, jurisdiction }: Hello,
  { opener, jurisdictions, log }: Pick<Terms, 'opener' | 'jurisdictions' | 'log'>,
): string | undefined {
  if (jurisdictions?.includes(jurisdiction ?? '') === false) {
    log.error('regional.jurisdiction.refused', { site, hub, jurisdiction, stores: jurisdictions });
    const told = jurisdiction === undefined ? 'no jurisdiction' : `jurisdiction ${jurisdiction}`;
    return `it has ${told}, and this region stores only ${storedText(jurisdictions)}`;
  }
  if (sealedTo === undefined || opener?.keyIds.some((id) => bytesEqual(id, sealedTo)) === true) {
    return undefined;
  }
  const key = hexOf(sealedTo);
  log.error('regional.hub.unreadable', { site, hub, key, next: 'regional.operator_key_file' });
  return `it encrypts to operator key ${key}, which this region does not hold`;
}
