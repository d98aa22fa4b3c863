/**
 * Faults: the world misbehaved. Each has a stable code and a line for the person on site that says what
 * to do next. The table below is the only place where codes are declared; status page, log, doctor and
 * exit messages all read it.
 *
 * Outcomes (the caller must choose) are unions in return types; bugs are assertions (assert.ts).
 */

export const FAULTS = {
  'config.invalid':
    'Correct the listed keys; `heliograph config` prints every key with its meaning.',
  'config.changed': 'The region has changed settings; the hub starts anew with them by itself.',
  'data.locked': 'Another hub uses this data directory. Stop it, or give this one its own --data.',
  'data.away':
    'Is the disk of the data plugged in and mounted? With it all goes on by itself. Where the data are gone for good, or another hub or region is meant, remove the line that names the old one.',
  'data.read-only':
    'Kernels make a file system read-only when its card fails: `dmesg` tells. Copy the data to another card before anything else. Where somebody did it on purpose: `mount -o remount,rw`; a place of your own stands in ReadWritePaths= of the unit.',
  'data.failing':
    'Was the disk of the data unplugged, or is it worn out? `dmesg` tells. Plug it in and mount it anew: the hub goes on by itself.',
  'data.newer':
    'These files were written by a newer version. Install that version again; `heliograph doctor` says whether there is another way.',
  'data.unreadable':
    'Check that the data directory exists and belongs to the user that runs the hub, and that its card reads and writes.',
  'files.refused':
    'Check path and owner (the hub runs as its own user: try sudo), and whether the disk is full or read-only.',
  'port.taken': 'Another program listens there. Stop it, or choose another port in the config.',
  'port.unusable': 'The address cannot be used. Check host and port; ports below 1024 need rights.',
  'listen.refused':
    'Mode `open` listens on loopback only. Set security.mode = "password", or allow_open_lan = true.',
  'journal.full':
    'The journal reaches its limit. Connect an uplink, raise journal.total_mib_max or, without an uplink, lower journal.keep_days.',
  'journal.bulk-dropped':
    'Photos and files that had no receipt yet were dropped for room. Connect an uplink, or raise journal.total_mib_max.',
  'journal.disk-full':
    'The disk is nearly full. Free space; the hub goes on by itself when there is room.',
  'journal.poisoned':
    'The card failed a write or a sync, or the journal was taken away. The hub restarts and recovers; if it repeats, replace the card.',
  'journal.damaged':
    'Acknowledged data is damaged. It is kept aside; run `heliograph journal verify` for the LSNs.',
  'journal.lost':
    'The journal of this hub is gone, or nothing but its key is here. Put it back; where there is none, `heliograph identity new` makes this a new hub that keeps the state.',
  'journal.cut':
    'The card lost the end of the journal: the hub goes on as a new one over the same data. See RECOVERY.md, journal cut.',
  'journal.unsealable':
    'A key of this journal is missing. Restore `keys` of the data directory or the credential hub-kek, or use --escrow-key.',
  'journal.busy': 'The card is slower than the devices. Publishing pauses until it has caught up.',
  'journal.slow':
    'The card takes seconds for what devices wait for. Nothing is lost; if it stays like this, the card wears out or is too slow: replace it.',
  'broker.full':
    'Some device opens connections without end, or there are more devices than broker.connections_max allows. Find it, or raise the limit.',
  'broker.slow-client':
    'A device takes less than it is sent, or is away for longer than its queue holds: it missed the oldest. See that it reads on, or let it subscribe to less.',
  'broker.sessions-full':
    'Devices are turned away: broker.sessions_max sessions are kept. Give each device one client id for good, set broker.session_expiry_days lower, or raise the limit.',
  'broker.retained-full':
    'There are more retained messages than broker.retained_max or broker.retained_mib_max allows. Clear old topics (an empty retained message), or raise the limit.',
  'http.full':
    'Some program opens connections to the page without end, or there are more pages and devices on WebSocket than http.connections_max allows. Find it, or raise the limit.',
  'op.too-large':
    'The message is larger than an op may be, some 1,045,000 bytes. Send it in parts, or as an asset.',
  'op.malformed': 'The message is not a valid op. Check the sender against model/WIRE.cddl.',
  'assets.full':
    'Assets have reached assets.total_mib_max, or the end of the disk, and wait for their receipts. Connect an uplink, raise the limit, or free space.',
  'assets.damaged':
    'The content of an asset is damaged on the card and was put aside. Put it in again; the regional node may have it.',
  'assets.failed':
    'Assets cannot be written. Check disk and rights; the bytes are in the journal and are kept until they can.',
  'asset.too-large':
    'The asset is larger than assets.file_mib_max. Make it smaller, or raise the limit.',
  'store.damaged':
    'The state database is damaged. It is rebuilt from the journal, at a region from the batches that it keeps; readings from before these may be in the file put aside.',
  'store.failed':
    'The state database cannot be read or written. Check disk and rights; all data is in the journal.',
  'database.away':
    'PostgreSQL does not answer, has no room, or only reads. Check the server and its disk; the node goes on by itself, nothing is lost.',
  'database.refused':
    'PostgreSQL refused us. Check regional.database, its password file and the rights of its user.',
  'database.rejected':
    'PostgreSQL would not take a statement. The log says which batch; report it, the others go on.',
  'database.foreign':
    'This database belongs to another regional node, or to a newer version. Check regional.database and regional.key_file.',
  'snapshot.failed':
    'The snapshot of the state cannot be written. Check the disk; the journal is kept until it can.',
  'snapshot.damaged':
    'The snapshot of the state is damaged. The state is folded from what the journal still has.',
  'sessions.damaged':
    'The file of MQTT sessions is damaged. Sessions are read from what the journal still has; devices may have to subscribe again.',
  'snapshot.untrusted':
    'The snapshot does not bear the signature of this hub and is not used. Remove it, or find out who put it there.',
  'ledger.failed':
    'The ledger cannot be written. Check the disk; the journal is kept until it can.',
  'ledger.forked':
    'Hub and region remember different histories. Was the card copied to a second hub, or restored from an old image? Both are kept; see LEDGER.md §7.',
  'pilot.trace-invalid':
    'The line that is named is not what a trace has; heliograph pilot --help tells what one looks like.',
  'power.source-lost':
    'No reading from the power source. Check its cable or network; the hub syncs with caution meanwhile.',
  'power.sensor-odd':
    'A sensor tells what cannot be, jumps or never changes, and is not believed. Check its wiring, and power.nominal_v and power.capacity_wh in the config.',
  'power.sources-differ':
    "Two sources cannot both be right. Find out which one is wired to the site's battery and tells what a meter there does; put it first in power.sources, or leave the other out.",
  'power.source-invalid':
    'The power source in the config cannot be opened. Check its name and the device path.',
  'uplink.unreachable':
    'The upstream broker does not answer. Check the link; data waits safely in the journal.',
  'uplink.untrusted':
    'The certificate of the broker is not proven: not signed by ca_file, expired or not valid yet by the clock here, or for another name.',
  'uplink.refused':
    'The upstream broker refused the login. Check uplink.username and the password file.',
  'uplink.wrong-region':
    'The regional node answers with another key than before. If it was replaced on purpose, delete `region.pub`.',
  'uplink.held-off':
    'The region takes nothing from this hub for now: its quota, or too much to do. Data stays here and goes later.',
  'uplink.forgotten':
    'The region was restored from an older backup, and this hub no longer has all that it lacks. What is here goes again. See RECOVERY.md, forgotten upstream.',
  'uplink.failed':
    'Batches cannot be written. Check disk and rights; the data is in the journal, and goes on by itself when they can.',
  'uplink.silent':
    'The upstream broker answers, but no regional node behind it, or none that confirms. Check that it runs, has room on its disk and uses this broker, and that the rules of the broker let both of them publish and read below heliograph/v1/.',
  'uplink.key-unknown':
    'The region has no key for uplink.operator_key. Give it the private half (regional.operator_key_file); nothing is lost.',
  'uplink.jurisdiction':
    'The region may not store the data of this site. See uplink.jurisdiction here and regional.accept_jurisdictions there.',
  'keys.damaged':
    'A key cannot be read. Restore its file, or the credential, from a backup: a new key makes a new hub, and opens nothing that the old one sealed.',
  'keys.lost':
    'The identity key of this hub is gone. Restore `keys` from its backup; where there is none, `heliograph identity new` makes this a new hub that keeps the data.',
  'keys.foreign':
    'Key and data are of two hubs. Restore the key that belongs to the data; where nobody has it, `heliograph identity new` makes this a new hub that keeps the data.',
  'region.broker-away':
    'The broker of the hubs does not answer. Check that it runs, and regional.url; hubs keep what they have, and go on by themselves.',
  'region.key-lost':
    'The key of this region is gone, and its hubs have pinned it. Restore it from its backup; where there is none, `heliograph identity new --regional` begins with a new one, and each hub trusts it once its `uplink/region.pub` is deleted.',
  'region.key-foreign':
    'Key and data are of two regions. Restore the key that belongs to the data; where nobody has it, `heliograph identity new --regional` begins with a new one, and each hub trusts it once its `uplink/region.pub` is deleted.',
  'region.set-back':
    'The database was restored from a backup while workers ran, or a standby that was behind took over. Workers start again over it, and hubs send again what they still keep.',
  'downlink.refused':
    'Something that the region has sent cannot be taken here; the message says why: a newer version wrote it (update this hub), or there is no room. The region offers it again by itself; everything else goes on.',
  'batch.rejected':
    'The regional node refused a batch. The reason is in the log; the data stays in the journal.',
  'batch.invalid': 'A batch failed its signature or hash. It is set aside and asked for again.',
  'bundle.incomplete':
    'Copy all files of the bundle again; importing what is there already is harmless.',
  'user.exists': 'A user of this name exists. Remove it first, or choose another name.',
  'user.unknown': 'No such user. `heliograph user list` shows all.',
  'enrol.lost':
    'The folder `enrol` of this hub is gone. Restore it from its backup, or join anew with `heliograph enrol join`; where this was the authority and there is none, `enrol device NAME --new-site` begins a new site.',
  'enrol.exists': 'Revoke it first, or say --replace: its old credentials end then.',
  'enrol.unknown': 'No such member. `heliograph enrol list` shows all.',
  'enrol.full': 'Revoke members, or let tokens expire, before new ones are made.',
  'enrol.no-authority':
    'Enrol on the hub (or data directory) that has the keys of the authority, and bring the file here with `heliograph enrol import`.',
  'enrol.untrusted':
    "This is not of the site's authority. Nothing was taken over; make the file again on the authority's hub.",
  'enrol.refused': 'Make a new token on the hub: `heliograph enrol token NAME`.',
  'enrol.malformed': 'The request is not as it should be; see ENROLMENT.md §4.',
  'peer.refused':
    'Another hub refuses the login. Check peer.username and its password there, or enrol this hub anew.',
  'peer.copied':
    'Another box runs with a copy of this card, or this one was restored from an old copy. See RECOVERY.md, identity clash.',
  'peer.stuck':
    'One hub has let go of ops that another lacks, and cannot hand over its state. Both work. See RECOVERY.md, peers apart.',
  'peer.lacking':
    'Devices, or hubs, say that another hub has had more than this one. Bring that hub back, or close what is lost. See RECOVERY.md, held elsewhere.',
  'peer.no-discovery':
    'The package for mDNS is not installed. Run npm ci again without leaving out optional packages, or set peer.addresses.',
  'peer.stranger':
    'Only hubs speak there. Enrol it with `enrol hub`; in mode password give its user the role operator.',
  'hub.refused': 'Name a user who may: --user NAME --password-file FILE.',
  'hub.declined': 'Nothing was changed. The answer above says why, and what would be possible.',
  'hub.unreachable': 'No hub answers there. Is it running? `systemctl status heliograph` tells.',
  'bench.rival-missing':
    'Install the rival (Debian: mosquitto, rabbitmq-server, nats-server), or leave --vs out.',
  'bench.broken':
    'The measurement broke off; the lines above say who fell silent. Run it again on a quiet machine.',
  'clock.unknown':
    'Times are wrong, order is kept all the same. The clock repairs itself at the first contact with a time source.',
  'client.outbox-full':
    'Too much waits for a hub. Bring the device near its hub; what waits is safe and goes first.',
  'client.storage':
    'This device cannot keep what it makes. Free some space; in a browser, allow storage for this site and load the page again.',
  'client.storage-full':
    'This device has no room left. Free some: what was kept is safe, and what is made after that is kept again.',
  'client.log-damaged':
    'The storage of this device has lost a part of what was made here. All else goes on: look whether recent work is missing, and replace the card or disk.',
  'client.unfit':
    'No hub would take this as it is, and nothing was made. The reason says what does not fit.',
  'client.built-on':
    'Later work builds on this. Take it back with what builds on it (`cascade`), or leave it.',
  'client.refused':
    'The hub does not take this. The reason says why; ask who runs the hub for the right.',
  'client.closed':
    'The device was closed. What it had made is kept and goes out when it is opened again.',
  'client.no-discovery':
    'Hubs cannot be looked for here. Install the package bonjour-service, or connect to an address.',
  'net.closed': 'The connection was closed by the other side.',
} as const;

export type FaultCode = keyof typeof FAULTS;

export class HubError extends Error {
  override readonly name = 'HubError';
  readonly code: FaultCode;

  /** `message` says what happened and where; the hint for the person on site comes with the code. */
  constructor(code: FaultCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  get hint(): string {
    return FAULTS[this.code];
  }
}

/** An error as the system gives it (`ENOSPC`, `EBADF` …), where we stand in its place. */
export function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}

/** Errors of Linux for which Node has no name: EDQUOT, which is a full disk, and what file systems answer over damage of their own. */
const CODE_BY_ERRNO: ReadonlyMap<unknown, string> = new Map([
  [-122, 'ENOSPC'],
  [-117, 'EUCLEAN'],
  [-74, 'EBADMSG'],
]);

/** The code of a system error such as `ENOSPC`, or undefined where it has none. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const unnamed = 'errno' in error ? CODE_BY_ERRNO.get(error.errno) : undefined;
  return unnamed ?? (typeof error.code === 'string' ? error.code : undefined);
}

/** What a card or its file system answers over damage. */
const DAMAGE: ReadonlySet<string> = new Set(['EIO', 'EUCLEAN', 'EBADMSG']);

export function isDamage(error: unknown): boolean {
  return DAMAGE.has(systemCode(error) ?? '');
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
