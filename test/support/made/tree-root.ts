/** The root over leaves that are all at hand. */
import { TreeHasher } from '../../../src/ledger/tree-hasher.ts';

export function treeRoot(leaves: Iterable<Uint8Array>): Uint8Array {
  const tree = new TreeHasher();
  for (const leaf of leaves) tree.add(leaf);
  return tree.root();
}
