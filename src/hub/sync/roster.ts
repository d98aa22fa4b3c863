/**
 * The roster of the site on its way by the region (security/enrolment/ENROLMENT.md §3): the hub that is the authority hands in
 * each new one as an event `roster/site`, which flows down to all other hubs like every record; a region whose operator keeps
 * the authority elsewhere writes the same event. A hub takes it where the authority has signed it and it is newer, before the
 * op itself is journaled, so that no crash comes in between. Loaded in mode `enrolled` alone.
 */
import { bytesEqual } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import { authorityParts } from '../enrol.ts';
import type { Ground } from '../ground.ts';
import type { Serving } from '../serving.ts';
import { RECORD } from '../../model/class.ts';
import { Authority } from '../../security/enrolment/authority.ts';
import type { Members } from '../../security/enrolment/members.ts';
import { installRoster } from '../../security/enrolment/site-folder.ts';
import { ROSTER_KEY } from '../uplink/downlink.ts';

/** Takes a roster that came down; one that is forged or older changes nothing and is told. */
export function takeRoster(
  { config, machine }: Pick<Ground, 'config' | 'machine'>,
  members: Pick<Members, 'refresh' | 'epoch'>,
  bytes: Uint8Array,
): void {
  const { files, log } = machine;
  const { paths, verify } = authorityParts(config.data, machine);
  try {
    if (installRoster(files, paths, bytes, verify) === 'installed') members.refresh();
    else log.info('downlink.roster-known', { epoch: members.epoch });
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    log.warn('downlink.roster-refused', { code: error.code, reason: error.message });
  }
}

/** On the hub that is the authority: hands in the roster now, and whenever it changes. */
export function handInRoster(
  { config, machine }: Pick<Ground, 'config' | 'machine'>,
  { store, door, journal }: Pick<Serving, 'store' | 'door' | 'journal'>,
  members: Pick<Members, 'onChange' | 'bytes' | 'epoch'>,
): void {
  if (!Authority.isHere(authorityParts(config.data, machine))) return;
  const { log } = machine;
  const tell = async (): Promise<void> => {
    try {
      await store.whenApplied(journal.durableLsn);
      const told = store.state.latest(ROSTER_KEY, 1).find(([key]) => key === ROSTER_KEY)?.[1];
      if (told !== undefined && bytesEqual(told.body, members.bytes)) return;
      door.journalOwn({ class: RECORD, key: ROSTER_KEY, body: members.bytes });
    } catch (error) {
      // The journal is full, or the store is being rebuilt: the next change or start tells it.
      if (!(error instanceof HubError)) throw error;
      log.warn('roster.untold', { code: error.code, epoch: members.epoch });
    }
  };
  members.onChange(() => void tell());
  void tell();
}
