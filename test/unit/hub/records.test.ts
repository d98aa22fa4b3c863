/** Records through the HTTP API, with door, journal and store behind it. */
import assert from 'node:assert/strict';

import { afterEach, beforeEach, describe, it } from 'vitest';
import * as Y from 'yjs';

import { CborWriter } from '../../../src/codec/writer.ts';
import { RecordRoom } from '../../../src/hub/limits/record-room.ts';
import { HubRecords } from '../../../src/hub/records.ts';
import { textOfOpId } from '../../../src/merge/op-id.ts';
import { encodePatch, VALUE_DEPTH_MAX } from '../../../src/merge/patch.ts';
import {
  BODY_BYTES_MAX,
  DOC,
  encodeOp,
  type Op,
  PATCH,
  REMOVE,
  type Role,
} from '../../../src/model/op.ts';
import { RECORD_FIELDS_MAX } from '../../../src/merge/record/record-size.ts';
import type { Origin } from '../../../src/model/origin.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { createApi } from '../../../src/status/api/api.ts';
import type { Authenticator } from '../../../src/status/http/login.ts';
import type { Store } from '../../../src/store/store.ts';
import { type DoorSetup, openDoor, START_MS } from '../../support/memory/doors.ts';
import { DEVICE_A, DEVICE_B, HUB, patchOp } from '../../support/made/ops.ts';
import { SampleSources } from '../../support/made/status.ts';
import { openStore } from '../../support/memory/stores.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

let setup: DoorSetup;
let store: Store;
let records: HubRecords;
/** Edits of which devices are told. */
let told: string[];

beforeEach(() => {
  store = openStore(tempDir());
  const room = new RecordRoom({
    ask: (question) => question(store),
    get appliedLsn() {
      return store.appliedLsn;
    },
  });
  setup = openDoor({ rooms: [room] });
  const { door, journal } = setup;
  told = [];
  records = new HubRecords({
    id: HUB,
    door,
    notices: { came: (op, lsn) => void told.push(`${lsn} ${textOfOpId(op)} ${op.key}`) },
    journal: {
      whenDurable: () => {
        journal.sync();
        return Promise.resolve();
      },
    },
    store: {
      state: store,
      whenApplied: () => {
        catchUp();
        return Promise.resolve();
      },
    },
  });
});

afterEach(() => store.close());

function catchUp(): void {
  const cursor = setup.journal.cursor(store.appliedLsn + 1);
  for (let next = cursor.next(); next !== undefined; next = cursor.next()) {
    store.stageEntry(next.lsn, next.entry);
  }
}

interface Asked {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function ask(path: string, body?: unknown, role?: Role): Promise<Asked> {
  const auth: Authenticator = {
    authenticate: () => Promise.resolve({ name: 'x', role: role ?? 'device', clientId: 'http' }),
    mayRead: (_who, key) => !key.startsWith('secret'),
  };
  const sources = new SampleSources(new SimClock(START_MS));
  const api = createApi(sources.options({ records, ...(role === undefined ? {} : { auth }) }));
  const headers = { authorization: `Basic ${btoa('x:y')}`, 'content-type': 'application/json' };
  const init =
    body === undefined
      ? { headers }
      : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers };
  const response = await api.fetch(new Request(`http://localhost${path}`, init), '127.0.0.1');
  api.close();
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** A device writes `state` of a record, having seen what it names. */
function edit(
  origin: Origin,
  seq: number,
  state: string,
  seen: readonly { origin: Origin; class: 2; seq: number }[],
  key = 'order/17',
  role: Role = 'device',
): void {
  const body = encodePatch({ state }, { state: seen });
  const { op } = patchOp({}, { kind: PATCH, key, origin, seq, atMs: START_MS + seq, body });
  hand(op, role);
}

/** A device hands in an op. */
function hand(op: Op, role: Role = 'device'): void {
  const message = new CborWriter().array(1).raw(encodeOp(op)).finish();
  const outcome = setup.door.acceptOps(message, { role, device: op.origin });
  assert.deepEqual(outcome.rejected, []);
  setup.journal.sync();
  catchUp();
}

const FIRST = { origin: DEVICE_A, class: 2, seq: 1 } as const;

describe('records over HTTP', () => {
  it('are mended by a person also where a device would find no room', async () => {
    const fields = (first: number): Record<string, number> =>
      Object.fromEntries(Array.from({ length: 64 }, (_, at) => [`f${first + at}`, 1]));
    const key = 'order/17';
    let seq = 0;
    for (; seq < RECORD_FIELDS_MAX / 64; seq++)
      hand(patchOp(fields(64 * seq), { key, seq: seq + 1, atMs: START_MS + seq }).op);
    const remove = { kind: REMOVE, key, seq: seq + 1, body: new Uint8Array(0) } as const;
    hand(patchOp({}, { ...remove, atMs: START_MS + seq }).op);
    hand(patchOp({ other: 1 }, { key, seq: seq + 2, atMs: START_MS + seq + 1 }).op);
    const { lastLsn } = setup.journal;
    const { status, body } = await ask(
      '/api/v1/undo',
      { op: textOfOpId({ origin: DEVICE_A, class: 2, seq: seq + 1 }) },
      'operator',
    );
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(setup.journal.lastLsn, lastLsn + 1);
  });

  it('are listed, shown and told with their history', async () => {
    edit(DEVICE_A, 1, 'open', []);
    edit(DEVICE_A, 2, 'done', [FIRST]);
    edit(DEVICE_B, 1, 'x', [], 'secret/1');
    assert.deepEqual((await ask('/api/v1/records?prefix=', undefined, 'technician')).body, {
      records: ['order/17'],
      next: null,
    });
    const { body } = await ask('/api/v1/records/order%2F17');
    assert.deepEqual(body, { key: 'order/17', fields: { state: 'done' }, counters: {} });
    const history = (await ask('/api/v1/history?key=order/17')).body['ops'] as { op: string }[];
    assert.deepEqual(
      history.map(({ op }) => op),
      [`${DEVICE_A}/2/1`, `${DEVICE_A}/2/2`],
    );
    assert.equal((await ask('/api/v1/history?key=none')).status, 404);
    assert.equal((await ask('/api/v1/history?key=secret/1', undefined, 'operator')).status, 403);
  });

  it('tell of a history the newest, whoever made them and be they steps of a document', async () => {
    edit(DEVICE_A, 1, 'open', [], 'order/17', 'operator');
    edit(DEVICE_A, 2, 'done', []);
    const note = new Y.Doc();
    note.getText('notes').insert(0, 'new seal');
    const at = { origin: DEVICE_B, atMs: START_MS + 3, key: 'order/17' };
    hand(patchOp({}, { kind: DOC, ...at, body: Y.encodeStateAsUpdate(note) }).op);
    for (const [limit, newest] of [
      [1, [`${DEVICE_B}/2/1`]],
      [2, [`${DEVICE_A}/2/2`, `${DEVICE_B}/2/1`]],
      [3, [`${DEVICE_A}/2/1`, `${DEVICE_A}/2/2`, `${DEVICE_B}/2/1`]],
    ] as const) {
      const { body } = await ask(`/api/v1/history?key=order/17&limit=${limit}`);
      const ops = (body['ops'] as { op: string }[]).map(({ op }) => op);
      assert.deepEqual(ops, newest);
    }
    assert.equal(store.records.history('order/17', 1).length, 1);
  });

  it('can be undone and redone; later work is kept unless it goes too', async () => {
    edit(DEVICE_A, 1, 'open', []);
    edit(DEVICE_A, 2, 'done', [FIRST]);
    const refusal = await ask('/api/v1/undo', { op: `${DEVICE_A}/2/1` });
    assert.equal(refusal.status, 409);
    assert.match(String(refusal.body['detail']), /later work builds on it: aaaaaaaaaaaaaaaa\/2\/2/);
    const undone = await ask('/api/v1/undo', { op: `${DEVICE_A}/record/2` });
    assert.deepEqual(undone.body['record'], { fields: { state: 'open' }, counters: {} });
    const redone = await ask('/api/v1/undo', { op: undone.body['op'] });
    assert.deepEqual(redone.body['record'], { fields: { state: 'done' }, counters: {} });
    const all = await ask('/api/v1/undo', { op: `${DEVICE_A}/2/1`, cascade: true });
    assert.equal(all.body['record'], null);
    assert.deepEqual(told, [
      `3 ${String(undone.body['op'])} order/17`,
      `4 ${String(redone.body['op'])} order/17`,
      `5 ${String(all.body['op'])} order/17`,
    ]);
  });

  it('are mended by people, within their role, and by no other web site', async () => {
    edit(DEVICE_A, 1, 'open', []);
    const op = `${DEVICE_A}/2/1`;
    assert.equal((await ask('/api/v1/undo', { op }, 'device')).status, 403);
    const undone = await ask('/api/v1/undo', { op }, 'supervisor');
    assert.equal(undone.status, 200);
    assert.equal((await ask('/api/v1/undo', { op: undone.body['op'] }, 'technician')).status, 409);
    assert.equal((await ask('/api/v1/undo', { op: 'nonsense' })).status, 400);
    const never = await ask('/api/v1/undo', { op: `${DEVICE_A}/2/999` });
    assert.equal(never.status, 409);
    assert.match(JSON.stringify(never.body), /has come here/);
    assert.equal((await ask('/api/v1/undo', { op: 7 })).status, 400);
    assert.equal((await ask('/api/v1/undo')).status, 405);
  });

  it('show what was in conflict until somebody resolves it', async () => {
    edit(DEVICE_A, 1, 'open', []);
    edit(DEVICE_B, 1, 'waiting', []);
    const { body } = await ask('/api/v1/conflicts');
    const [conflict] = body['conflicts'] as Record<string, Record<string, unknown>>[];
    assert.deepEqual([body['open'], body['met'], body['edits']], [1, 1, 2]);
    assert.equal(body['perThousandEdits'], 500);
    const { key, field, kind } = conflict ?? {};
    assert.deepEqual([key, field, kind], ['order/17', 'state', 'concurrent']);
    assert.equal(conflict?.['title'], null, 'the record has no field that calls it something');
    assert.equal(conflict['why'], 'tie');
    assert.equal(conflict['winner']?.['value'], 'waiting');
    assert.equal(conflict['loser']?.['value'], 'open');
    const wish = { key: 'order/17', field: 'state', value: { at: [1, 'x', null] } };
    assert.equal((await ask('/api/v1/conflicts/resolve', { ...wish, field: 'y' })).status, 409);
    const resolved = await ask('/api/v1/conflicts/resolve', wish, 'technician');
    assert.deepEqual(resolved.body['record'], { fields: { state: wish.value }, counters: {} });
    assert.deepEqual((await ask('/api/v1/conflicts')).body['conflicts'], []);
    const all = (await ask('/api/v1/conflicts?all=1')).body['conflicts'] as { closedAt: unknown }[];
    assert.ok(typeof all[0]?.closedAt === 'string');
    // Taking the answer back opens it again, and is no new one.
    await ask('/api/v1/undo', { op: resolved.body['op'] });
    const again = (await ask('/api/v1/conflicts')).body;
    assert.deepEqual([again['open'], again['met']], [1, 1]);
  });

  it('are not undone by who may not read them', async () => {
    edit(DEVICE_A, 1, 'open', [], 'secret/1');
    const refused = await ask('/api/v1/undo', { op: `${DEVICE_A}/2/1` }, 'operator');
    assert.equal(refused.status, 409);
    assert.match(String(refused.body['detail']), /may not read/);
  });

  it('are resolved by nobody below whoever wrote what stands', async () => {
    edit(DEVICE_A, 1, 'closed', [], 'order/17', 'supervisor');
    edit(DEVICE_B, 1, 'open', []);
    const wish = { key: 'order/17', field: 'state', value: 'open' };
    const refused = await ask('/api/v1/conflicts/resolve', wish, 'technician');
    assert.equal(refused.status, 409);
    assert.match(String(refused.body['detail']), /was written by role supervisor/);
    assert.equal((await ask('/api/v1/conflicts/resolve', wish, 'supervisor')).status, 200);
  });

  it('take the values that the SDK takes, and refuse what it refuses', async () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
    const resolve = async (json: string): Promise<Asked> => {
      edit(DEVICE_A, (seq += 1), 'open', []);
      edit(DEVICE_B, seq, 'waiting', []);
      const body = `{"key": "order/17", "field": "state", "value": ${json}}`;
      return ask('/api/v1/conflicts/resolve', body, 'operator');
    };
    let seq = 0;
    for (const json of [
      '"a\\u0000b"',
      '{"": [null, -0.5, 1e21], "__proto__": {"constructor": 1}}',
      JSON.stringify(nested(VALUE_DEPTH_MAX)),
    ]) {
      const { status, body } = await resolve(json);
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal(JSON.stringify(body['value']), JSON.stringify(JSON.parse(json)));
    }
    const { lastLsn } = setup.journal;
    for (const [json, why] of [
      [JSON.stringify(nested(VALUE_DEPTH_MAX + 1)), /nested at most 8 deep/],
      [`${'['.repeat(50_000)}${']'.repeat(50_000)}`, /nested at most 8 deep/],
      ['{"\\ud800": 1, "\\udfff": 2}', /a name is no text/],
      [JSON.stringify('x'.repeat(BODY_BYTES_MAX)), /too large/],
    ] as const) {
      const { status, body } = await resolve(json);
      assert.equal(status, 409);
      assert.match(JSON.stringify(body), why);
    }
    assert.equal(setup.journal.lastLsn, lastLsn + 8, 'the edits of devices alone');
  });

  it('are told by key, and resolved by naming whose value shall stand', async () => {
    for (const [seq, key] of ['order/1', 'order/10', 'pump/1', 'secret/1'].entries()) {
      edit(DEVICE_A, seq + 1, 'open', [], key);
      edit(DEVICE_B, seq + 1, 'waiting', [], key);
    }
    const keysIn = async (query: string): Promise<unknown[]> => {
      const { body } = await ask(`/api/v1/conflicts${query}`, undefined, 'technician');
      return (body['conflicts'] as { key: string }[]).map(({ key }) => key);
    };
    assert.deepEqual(await keysIn(''), ['pump/1', 'order/10', 'order/1']);
    assert.deepEqual(await keysIn('?prefix=order/1'), ['order/10', 'order/1']);
    assert.deepEqual(await keysIn('?key=order/1'), ['order/1']);
    assert.deepEqual(await keysIn('?key=order/'), []);
    const take = `${DEVICE_A}/2/1`;
    const wish = { key: 'order/1', field: 'state', take };
    const resolve = '/api/v1/conflicts/resolve';
    const elsewhere = await ask(resolve, { ...wish, take: `${DEVICE_A}/2/2` });
    assert.equal(elsewhere.status, 409);
    assert.match(JSON.stringify(elsewhere.body), /2\/2 is in no open conflict in state/);
    for (const unclear of [
      { ...wish, value: 'x' },
      { ...wish, take: 7 },
    ]) {
      assert.equal((await ask(resolve, unclear)).status, 400);
    }
    const { body } = await ask(resolve, wish);
    assert.equal(body['value'], 'open');
    assert.deepEqual(await keysIn('?prefix=order/'), ['order/10']);
    assert.equal((await ask(resolve, wish)).status, 409, 'it is resolved');
  });
});
