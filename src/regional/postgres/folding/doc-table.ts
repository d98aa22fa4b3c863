/** Documents in their table: updates of a batch join what stands (merge/MERGE.md §9). The caller holds their keys' locks. */
import { CborReader } from '../../../codec/reader.ts';
import { CborWriter } from '../../../codec/writer.ts';
import { DocFold, readHeads, writeHeads } from '../../../merge/doc/doc-state.ts';
import { changeIn } from '../../../merge/doc/document.ts';
import type { Op } from '../../../model/op.ts';
import type { Sql } from '../../../platform/network/postgres.ts';

const GET = 'SELECT heads, state FROM heliograph.doc WHERE key_id = $1';
const PUT = `
  INSERT INTO heliograph.doc (key_id, heads, state) VALUES ($1, $2, $3)
  ON CONFLICT (key_id) DO UPDATE SET heads = excluded.heads, state = excluded.state`;

/** Folds ops of kind doc, one document after the other: that many bytes are in memory at once. */
export async function foldDocs(
  sql: Sql,
  idByKey: ReadonlyMap<string, number>,
  ops: readonly Op[],
): Promise<void> {
  for (const key of new Set(ops.map((op) => op.key))) {
    const id = idByKey.get(key) as number;
    const [row] = await sql.query(GET, [id]);
    const doc =
      row === undefined
        ? new DocFold()
        : DocFold.decode({
            heads: readHeads(new CborReader(row['heads'] as Uint8Array)),
            state: row['state'] as Uint8Array,
          });
    for (const op of ops) {
      const change = op.key === key ? changeIn(op.body) : undefined;
      // What is malformed has no effect, as in merge/fold.ts.
      if (typeof change === 'object') doc.merge(change, op);
    }
    if (doc.document.isEmpty) continue;
    const { heads, state } = doc.encode();
    const writer = new CborWriter(64);
    writeHeads(writer, heads);
    await sql.query(PUT, [id, writer.finish(), state]);
  }
}
