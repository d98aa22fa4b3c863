/** Messages between device and hub: the documented bytes, and refusals that say why. */
import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { hexOf, utf8 } from '../../../src/base/bytes.ts';
import { CborError } from '../../../src/codec/reader.ts';
import { encodeCbor } from '../../../src/codec/writer.ts';
import { writeOrder } from '../../../src/merge/order.ts';
import { laneOf } from '../../../src/model/origin.ts';
import {
  type DeltaPage,
  encodeDelta,
  encodeStateItem,
  readDelta,
} from '../../../src/protocol/delta-message.ts';
import * as limits from '../../../src/protocol/limits.ts';
import { encodePull, readPull } from '../../../src/protocol/pull-message.ts';
import { isInScope, rangesOf } from '../../../src/protocol/scope.ts';
import {
  LANES_HELD_MAX,
  SESSIONS_MAX,
  SESSIONS_PER_DEVICE_MAX,
  SILENT_MS_MAX,
} from '../../../src/sync/pull-door.ts';
import { DEVICE_A, HUB, patchOp } from '../../support/made/ops.ts';
import { readText } from '../../tidy/tree.ts';

const document = readText('src/sync/PROTOCOL.md');

describe('PROTOCOL.md', () => {
  const hexLine = (name: string): string =>
    new RegExp(String.raw`^${name}: +(.*)$`, 'm').exec(document)?.[1]?.replaceAll(' ', '') ?? '';

  it('has the bytes of its example', () => {
    const scope = { prefixes: ['orders/'], keys: [] };
    const open = encodePull({ kind: 'open', pull: 7, credit: 2, scope, vector: new Map() });
    assert.equal(hexOf(open), hexLine('open'));
    const hlc = { ms: 1000, counter: 0 };
    const welcome = encodeDelta({ kind: 'welcome', pull: 7, hub: HUB, hlc, authority: 2 });
    assert.equal(hexOf(welcome), hexLine('welcome'));
    const patch = patchOp({ state: 'open' }, { key: 'orders/1' });
    const write = { order: writeOrder(patch), kind: patch.op.kind, body: patch.op.body };
    const item = encodeStateItem({ type: 'write', key: 'orders/1', write });
    const page: DeltaPage = {
      kind: 'page',
      pull: 7,
      page: 1,
      stage: 'caught-up',
      items: [item],
      lanes: new Map([[laneOf(DEVICE_A, 2), 1]]),
    };
    const shown = hexLine('page').replace('<write-item>', hexOf(item));
    assert.equal(hexOf(encodeDelta(page)), shown);
    const taken = encodePull({ kind: 'taken', pull: 7, page: 1 });
    assert.equal(hexOf(taken), hexLine('taken'));
  });

  it('has the limits of the code', () => {
    const says = (row: string): void => assert.ok(document.includes(`| ${row} |`), row);
    const number = (value: number): string => value.toLocaleString('en');
    says(`pull message | ${number(limits.PULL_BYTES_MAX)} bytes`);
    says(`lanes of a vector | ${number(limits.VECTOR_LANES_MAX)}`);
    says(`parts of a scope | ${limits.SCOPE_PARTS_MAX}`);
    says(`lanes that devices which catch up may name together | ${number(LANES_HELD_MAX)}`);
    says(`open pulls | ${number(SESSIONS_MAX)}`);
    says(`open pulls of a device | ${SESSIONS_PER_DEVICE_MAX}`);
    says(`pages under way to a device | ${limits.CREDIT_MAX}`);
    assert.ok(document.includes(`Protocol version ${limits.PROTOCOL_VERSION}.`));
    assert.ok(document.includes(`not taken for ${SILENT_MS_MAX / 1000} s is forgotten`));
    assert.equal(limits.PAGE_BYTES, 32 * 1024);
  });
});

describe('a scope', () => {
  it('is ranges that do not touch each other', () => {
    const scope = { prefixes: ['b', 'ab', 'a'], keys: ['abc', 'x', 'x\u0000'] };
    const shown = rangesOf(scope).map(({ from, to }) => `${hexOf(from)}-${hexOf(to)}`);
    assert.deepEqual(shown, ['61-61ff', '62-62ff', '78-7800', '7800-780000']);
    for (const key of ['a', 'abz', 'b/1', 'x']) assert.ok(isInScope(scope, key), key);
    for (const key of ['c', 'xy', '']) assert.ok(!isInScope(scope, key), key);
  });
});

describe('a pull message', () => {
  it('of another version, or that is none, is refused with its number', () => {
    const scope = [[''], []];
    const later = readPull(encodeCbor([0, 2, 9, 4, scope, []]));
    assert.deepEqual(later, {
      kind: 'refused',
      pull: 9,
      reason: 'this hub speaks version 1 of the protocol',
    });
    const empty = readPull(encodeCbor([0, 1, 9, 4, [[], []], []]));
    assert.ok(empty.kind === 'refused' && empty.pull === 9 && /1 to 64/.test(empty.reason));
    assert.equal(readPull(encodeCbor([7, 9])).kind, 'refused');
    assert.equal(readPull(utf8('x')).kind, 'refused');
  });

  it('gives no more credit than there is', () => {
    const read = readPull(encodeCbor([0, 1, 9, 5_000, [[''], []], []]));
    assert.ok(read.kind === 'read' && read.message.kind === 'open');
    assert.equal(read.message.credit, limits.CREDIT_MAX);
  });
});

describe('a delta message', () => {
  it('that is none is refused', () => {
    const junk = [[], [9, 1], [0, 1, 1, 7, [], []], [0, 1, 1, 0, [[9]], []], [1, 1, utf8('x')]];
    for (const value of junk) assert.throws(() => readDelta(encodeCbor(value)), CborError);
  });
});
