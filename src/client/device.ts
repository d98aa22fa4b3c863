/**
 * A device of a site: makes events, records and counters that no hub has to be there for, sees what others made, and
 * keeps both across restarts. What it shows is there at once; what a promise resolved is on the hub's disk.
 */
import type { Cancel } from '../base/clock.ts';
import { HubError, messageOf } from '../base/errors.ts';
import { ASSET_FIELD } from '../merge/asset/asset-version.ts';
import { digestOf, type Hasher } from '../merge/state/digest.ts';
import { isSameOp, opIdOfText, textOfOpId } from '../merge/op-id.ts';
import { encodeAdd, encodePatch, encodeUndo } from '../merge/patch.ts';
import { planUndo } from '../merge/undo.ts';
import { carriesBytes } from '../model/asset-bytes.ts';
import { RECORD, TELEMETRY, type OpClass } from '../model/class.ts';
import { effectiveHlc } from '../model/hlc.ts';
import { ADD, DOC, EVENT, type Kind, PATCH, REMOVE, UNDO } from '../model/op.ts';
import { laneOf } from '../model/origin.ts';
import { NO_RANGES } from '../model/seq-ranges.ts';
import { seqIn } from '../model/version-vector.ts';
import { isHeld, readBeyond } from '../protocol/beyond.ts';
import type { DeltaItem, ReadPage, Welcome } from '../protocol/delta-message.ts';
import { EVERYTHING, isInScope, type Scope } from '../protocol/scope.ts';
import {
  type DeviceOptions,
  type DevicePlatform,
  type DeviceStatus,
  isSameStatus,
} from './options.ts';
import { type Asset, assetOf } from './assets/asset.ts';
import { Docs, type YDoc, type YModule } from './view/docs.ts';
import { encodeState, type KeptState, readState } from './view/kept-state.ts';
import { awaitable, type Made } from './outbox/made.ts';
import { Outbox } from './outbox/outbox.ts';
import { unfitKey } from './outbox/unfit.ts';
import { calling, Listeners } from './view/listeners.ts';
import { Queries, type Query, type RecordRow } from './view/queries.ts';
import { Replica } from './view/replica.ts';
import { Session } from './link/session.ts';
import { Saving } from './view/saving.ts';
import { seenNow, type SeenOf, seenOf } from './view/seen.ts';
import { cborOfFields, countOf, type Fields, type Value } from './view/values.ts';
import { View } from './view/view.ts';
import { type SeenConflict, historyOf, type HistoryEntry, seenConflicts } from './view/history.ts';

export class Device {
  readonly #options: DeviceOptions;
  readonly #platform: DevicePlatform;
  readonly #scope: Scope | undefined;
  readonly #replica = new Replica();
  readonly #view: View;
  readonly #queries: Queries;
  readonly #docs: Docs;
  readonly #saving: Saving;
  readonly #watchers: Listeners<DeviceStatus>;
  #outbox!: Outbox;
  #session!: Session;
  #authority = 1;
  #resume: Uint8Array | undefined;
  #isClosed = false;
  /** What those who watch have heard last. */
  #told: DeviceStatus | undefined;
  /** The state of the hub could not be kept. */
  #unsaved: HubError | undefined;

  private constructor(options: DeviceOptions, platform: DevicePlatform) {
    this.#options = options;
    this.#platform = platform;
    const { scope = EVERYTHING } = options;
    this.#scope = scope === 'none' ? undefined : scope;
    this.#view = new View({
      replica: this.#replica,
      ownByKey: () => this.#outbox.opsByKey,
      authority: () => this.#authority,
    });
    this.#queries = new Queries(this.#view, platform.timers);
    const { clock, timers } = platform;
    this.#watchers = new Listeners(timers);
    const isPressing = (): boolean => this.#outbox.isCrowded;
    this.#saving = new Saving({ clock, timers, isPressing, save: () => this.#save() });
    this.#docs = new Docs({
      make: (key, update) => this.#make(DOC, key, update),
      updatesOf: (key) => this.#view.docUpdates(key),
      onTrouble: (error) => this.#trouble(error),
      timers,
    });
  }

  /** Opens what is kept, and begins to look for the hub; it need not be there. */
  static async open(options: DeviceOptions, platform: DevicePlatform): Promise<Device> {
    const device = new Device(options, platform);
    try {
      await device.#open();
    } catch (error) {
      // Whoever tries again finds it free.
      await platform.storage.close();
      throw error;
    }
    return device;
  }

  get status(): DeviceStatus {
    const { contact, reason, cause } = this.#session;
    const { pending, origin, trouble = this.#unsaved } = this.#outbox;
    return { contact, reason, cause, pending, trouble, name: this.#name, origin };
  }

  /** Calls back now and whenever the status changes. */
  onStatus(watcher: (status: DeviceStatus) => void): Cancel {
    const { status } = this;
    if (this.#watchers.isEmpty) this.#told = status;
    watcher(status);
    return this.#watchers.add(watcher);
  }

  /** A message for whoever holds the topic in its scope, and the reading of a series. */
  event(topic: string, payload: string | Uint8Array, opClass: OpClass = TELEMETRY): Made {
    const body = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
    return this.#make(EVENT, topic, body, opClass);
  }

  /** Latest message of a topic in scope. */
  latest(topic: string): Uint8Array | undefined {
    return this.#view.event(topic)?.body;
  }

  record(key: string): {
    readonly value: RecordRow | undefined;
    set: (fields: Fields) => Made;
    edit: () => { readonly set: (fields: Fields) => Made };
    remove: () => Made;
  } {
    const queries = this.#queries;
    return {
      get value() {
        return queries.row(key);
      },
      set: (fields) => this.#set(key, fields, seenOf(this.#view, key)),
      edit: () => {
        const seen = seenNow(this.#view, key);
        return { set: (fields) => this.#set(key, fields, seen) };
      },
      remove: () => this.#make(REMOVE, key, new Uint8Array(0)),
    };
  }

  /** Adds a whole number to a counter of a record; increments of many devices all count. */
  counter(key: string, field: string): { add: (delta: number) => Made } {
    return { add: (delta) => this.#make(ADD, key, encodeAdd(countOf(field, delta))) };
  }

  /** The document of a key, which others may be writing in at the same moment; `yjs` is the module of that name. */
  doc<D extends YDoc>(key: string, yjs: YModule<D>): D {
    const unfit = unfitKey(key);
    if (unfit !== undefined) throw new HubError('client.unfit', unfit);
    return this.#docs.open(key, yjs);
  }

  /** The photo, document or recording of a record, with its versions. */
  asset(key: string): Asset {
    return assetOf(key, {
      make: (kind, at, body, opClass) => this.#make(kind, at, body, opClass),
      record: (at) => this.#view.record(at),
      writes: (at) => this.#view.writes(at),
      conflicts: (at) => this.#view.conflicts(at, ASSET_FIELD),
      fetchBytes: this.#platform.fetchBytes,
    });
  }

  /**
   * Takes an op of a record back; `cascade` takes what builds on it too. Throws with the reason where it may not:
   * `client.built-on` where that alone is in the way.
   */
  undo(key: string, id: string, cascade = false): Made {
    const target = opIdOfText(id);
    if (target === undefined) throw new HubError('client.refused', `${id} is no op`);
    const { origin, class: opClass, seq } = target;
    const hasCome =
      seq <= seqIn(this.#replica.vector, laneOf(origin, opClass)) ||
      this.#outbox.ops.some(({ op }) => isSameOp(op, target));
    const request = { target, authority: this.#authority, cascade, hasCome };
    const plan = planUndo(this.#view.ops(key), request);
    if (plan.kind === 'refused') {
      throw new HubError(plan.isBuiltOn ? 'client.built-on' : 'client.refused', plan.reason);
    }
    return this.#make(UNDO, key, encodeUndo(plan.targets));
  }

  /** Ops on a record, the latest first. */
  history(key: string): readonly HistoryEntry[] {
    return historyOf(this.#view.writes(key), this.#outbox.origin);
  }

  /** Writes that were made without knowledge of each other and that nobody has looked at, of one record or of all. */
  conflicts(key?: string): readonly SeenConflict[] {
    const keys = key === undefined ? this.#view.keys('') : [key];
    return keys.flatMap((each) => {
      const disputes = this.#view.disputes(each);
      return disputes.length === 0 ? [] : seenConflicts(each, disputes, this.#view.writes(each));
    });
  }

  /** Ends the conflicts of a field: what is written knows all sides. */
  resolve({ key, field }: Pick<SeenConflict, 'key' | 'field'>, value: Value): Made {
    return this.#set(key, { [field]: value }, seenOf(this.#view, key, true));
  }

  /** SHA-256 of what lives in scope as the hub gave it, own unsent ops left out (MERGE.md §5): equal on all who hold the same. */
  digest(hasher: Hasher): { readonly digest: Uint8Array; readonly leaves: number } {
    return digestOf(this.#replica.state, hasher);
  }

  query(query: Query = {}): readonly RecordRow[] {
    return this.#queries.run(query);
  }

  /** Calls back with the answer now, and whenever it may have changed. */
  observe(query: Query, onRows: (rows: readonly RecordRow[]) => void): Cancel {
    return this.#queries.observe(query, onRows);
  }

  /** The network may be back: tries at once. */
  wake(): void {
    this.#session.wake();
  }

  /** The network is gone, says the platform: sooner known than by waiting for an answer. */
  lose(): void {
    this.#session.lose('there is no network');
  }

  /** Makes ops of what is being typed at this moment. */
  flush(): void {
    this.#docs.flush();
  }

  /** Resolves when what was made is kept on this device. */
  async whenKept(): Promise<void> {
    this.#docs.flush();
    await this.#outbox.whenWritten();
    if (this.#outbox.trouble !== undefined) throw this.#outbox.trouble;
  }

  /** Keeps everything and lets go; what waits goes out when it is opened again, and whoever waits for it hears `client.closed`. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#docs.flush();
    this.#isClosed = true;
    this.#session.close();
    this.#saving.stop();
    this.#queries.close();
    await this.#outbox.whenWritten();
    this.#outbox.abandon();
    this.#watchers.clear();
    await this.#saving.now();
    await this.#platform.storage.close();
  }

  get #name(): string {
    const { username, name } = this.#options;
    return username ?? name ?? `device-${this.#outbox.origin}`;
  }

  async #open(): Promise<void> {
    const { storage, clock, random, timers, openLink } = this.#platform;
    const { damage } = storage;
    if (damage !== undefined) this.#trouble(new HubError('client.log-damaged', damage));
    this.#outbox = await Outbox.open({
      storage,
      clock,
      random,
      onChange: (key) => this.#ownChanged(key),
      comesBack: (op) => !carriesBytes(op) && this.#isInScope(op.key),
    });
    this.#loadState(storage.state);
    const { url, username, password } = this.#options;
    const name = this.#name;
    // Tabs of one user share the name, and must not share the connection.
    const clientId = username === undefined ? name : `${username}-${this.#outbox.origin}`;
    this.#session = new Session({
      name,
      target: { url, clientId, username, password },
      scope: this.#scope,
      outbox: this.#outbox,
      replica: this.#replica,
      resume: this.#resume,
      openLink,
      timers,
      random,
      onPage: (touched, page, resume) => this.#takePage(touched, page, resume),
      onWelcome: (welcome) => this.#welcome(welcome),
      onNotice: (notice) => calling(timers, () => this.#options.onNotice?.(notice)),
      onContact: () => this.#tell(),
    });
    this.#session.wake();
  }

  #loadState(bytes: Uint8Array | undefined): void {
    const kept = bytes === undefined ? undefined : readState(bytes);
    if (kept === undefined || this.#scope === undefined) return;
    const isSame = JSON.stringify(kept.scope) === JSON.stringify(this.#scope);
    this.#authority = kept.authority;
    for (const item of kept.items) {
      if (item.type === 'state' && 'write' in item.item) {
        this.#outbox.moments.follow(item.item.write.order.hlc);
      }
    }
    this.#replica.take({ items: kept.items, lanes: isSame ? kept.vector : new Map() });
    this.#resume = isSame ? kept.resume : undefined;
    this.#outbox.numbers.saw(kept.vector);
    this.#forgetKnown({ vector: this.#replica.vector, resume: this.#resume });
  }

  #isInScope(key: string): boolean {
    return this.#scope !== undefined && isInScope(this.#scope, key);
  }

  #make(kind: Kind, key: string, body: Uint8Array, opClass: OpClass = RECORD): Made {
    if (this.#isClosed) throw new HubError('client.closed', 'nothing can be made any more');
    const { op, kept } = this.#outbox.add({ class: opClass, kind, key, body });
    void this.#outbox.whenWritten().then(() => this.#session.send());
    return awaitable(kept, { op, id: textOfOpId(op) });
  }

  #set(key: string, fields: Fields, seenIn: SeenOf): Made {
    const seen = Object.fromEntries(Object.keys(fields).map((field) => [field, seenIn(field)]));
    return this.#make(PATCH, key, encodePatch(cborOfFields(fields), seen));
  }

  #takePage(touched: ReadonlySet<string>, page: ReadPage, resume: Uint8Array | undefined): void {
    this.#resume = resume;
    this.#outbox.numbers.saw(page.lanes);
    for (const item of page.items) this.#heed(item);
    this.#changed(touched);
    this.#saving.soon();
  }

  /** What is made from now on is later; open documents go on. */
  #heed(item: DeltaItem): void {
    if (item.type === 'op') {
      const { kind, key, body, hlc } = item.stamped.op;
      this.#outbox.moments.observe(effectiveHlc(hlc, item.stamped.stamp.hlc));
      if (kind === DOC) this.#docs.take(key, body);
    } else if (item.item.type === 'doc') this.#docs.take(item.item.key, item.item.doc.state);
    else if ('write' in item.item) this.#outbox.moments.observe(item.item.write.order.hlc);
  }

  /** True where all is to be asked for anew: a higher role may read what was passed over before. */
  #welcome({ authority, hlc }: Welcome): boolean {
    this.#outbox.heardTime(hlc);
    if (authority === this.#authority) return false;
    const hasAsked = this.#replica.vector.size > 0 || this.#resume !== undefined;
    const mayReadMore = authority > this.#authority && hasAsked;
    if (mayReadMore) {
      this.#replica.claimNothing();
      this.#resume = undefined;
    }
    this.#authority = authority;
    this.#changed(this.#outbox.ops.map(({ op }) => op.key));
    return mayReadMore;
  }

  /** Keeps the state, then lets go of own ops that are in it. */
  async #save(): Promise<void> {
    if (this.#scope !== undefined) {
      const { vector } = this.#replica;
      const head = { scope: this.#scope, vector, authority: this.#authority, resume: this.#resume };
      try {
        await this.#platform.storage.saveState(encodeState(head, [...this.#replica.items()]));
        this.#unsaved = undefined;
      } catch (error) {
        // It is pulled again; own ops stay where they are.
        this.#unsaved =
          error instanceof HubError
            ? error
            : new HubError('client.storage', messageOf(error), error);
        this.#tell();
        return;
      }
      this.#forgetKnown(head);
    }
    await this.#outbox.tidy();
  }

  /** Own ops that the kept state has, also behind a gap in their lane at this hub. */
  #forgetKnown({ vector, resume }: Pick<KeptState, 'vector' | 'resume'>): void {
    const beyond = (resume && readBeyond(resume)) ?? NO_RANGES;
    this.#outbox.forget((op) => isHeld(vector, beyond, op));
  }

  #changed(keys: Iterable<string>): void {
    this.#view.forget(keys);
    this.#queries.changed(keys);
    this.#tell();
  }

  #ownChanged(key: string): void {
    this.#view.ownChanged(key);
    this.#queries.changed([key]);
    this.#tell();
  }

  #trouble(error: HubError): void {
    calling(this.#platform.timers, () => this.#options.onTrouble?.(error));
  }

  #tell(): void {
    // Nobody can ask before it is open.
    if (this.#session === undefined || this.#watchers.isEmpty) return;
    const { status } = this;
    if (this.#told !== undefined && isSameStatus(status, this.#told)) return;
    this.#told = status;
    this.#watchers.tell(status);
  }
}
