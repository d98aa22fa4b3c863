/** Why a hub will send nothing here: it finds so in our greeting, and it is said in our log too. */
import { bytesEqual, hexOf } from '../base/bytes.ts';
import type { Log } from '../base/log.ts';
import type { Hello } from '../batch/wire/messages.ts';
import type { PayloadOpener } from '../batch/payload-seal.ts';

export interface Terms {
  readonly opener?: PayloadOpener | undefined;
  readonly jurisdictions?: readonly string[] | undefined;
  readonly log: Log;
}

export function tellHindrance(
  { site, hub, sealedTo, jurisdiction }: Hello,
  { opener, jurisdictions, log }: Terms,
): void {
  if (sealedTo !== undefined && !opener?.keyIds.some((id) => bytesEqual(id, sealedTo))) {
    const key = hexOf(sealedTo);
    log.error('regional.hub.unreadable', { site, hub, key, next: 'regional.operator_key_file' });
  }
  if (jurisdictions?.includes(jurisdiction ?? '') !== false) return;
  log.error('regional.jurisdiction.refused', { site, hub, jurisdiction, stores: jurisdictions });
}
