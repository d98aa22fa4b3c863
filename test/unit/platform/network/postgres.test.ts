/** What errors of PostgreSQL, of the socket to it and of the library mean: wait, mend the configuration, or report a bug. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { HubError } from '../../../../src/base/errors.ts';
import { databaseFault } from '../../../../src/platform/network/postgres.ts';

const FAULTS: readonly (readonly [fault: string, codes: readonly string[]])[] = [
  [
    'database.away',
    [
      '08006', // connection failure
      '25006', // a server that only reads: a standby, or one whose disk is nearly full
      '25P03', // idle in a transaction for too long
      '40001', // lost against another transaction
      '40P01', // deadlock
      '53100', // disk full
      '53300', // too many connections
      '55P03', // a lock was not to be had in time
      '57014', // statement timeout, or cancelled
      '57P01', // the operator ends the connection
      '57P03', // starting up
      '58030', // I/O error
      'ECONNREFUSED',
      'ECONNRESET',
      'ENOTFOUND',
      'EPIPE',
    ],
  ],
  ['database.refused', ['28P01', '3D000', '42501']],
  ['database.rejected', ['22021', '23505', '42P01', 'XX000', 'P0001']],
];

test.each(FAULTS)('%s', (fault, codes) => {
  for (const code of codes) {
    const error = Object.assign(new Error('so it is'), { code });
    assert.equal(databaseFault(error).code, fault, code);
    assert.equal(databaseFault(error).cause, error, code);
  }
});

test('without a code it is the library, which speaks of the connection', () => {
  assert.equal(databaseFault(new Error('Connection terminated')).code, 'database.away');
  const asked = new Error('SASL: client password must be a string');
  assert.equal(databaseFault(asked).code, 'database.refused');
  const known = new HubError('database.foreign', 'of another region');
  assert.equal(databaseFault(known), known);
});
