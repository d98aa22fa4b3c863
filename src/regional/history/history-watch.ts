/**
 * What the regional node remembers of each hub's history: a copy of its ledger's hashes (ledger/LEDGER.md §7). A batch
 * says how large the hub's tree is behind its ops and what root it has; the ops are the leaves that the tree has grown
 * by. So every batch is checked against all that came before it, leaf by leaf and by the root, and a hub that
 * rewrites its past, or was restored from an old card and went on differently, cannot hide it.
 *
 * A stretch that never came (its ops were lost, or this node has lost its own copy) is a gap: what follows cannot be
 * placed, so it is stored and not witnessed, until the hub tells the leaves that are missing.
 */
import { bytesEqual } from '../../base/bytes.ts';
import { firstLeafOf, type Manifest } from '../../batch/manifest.ts';
import { type LedgerState, readLedgerState, writeLedgerState } from '../../ledger/ledger-state.ts';
import { HASH_BYTES } from '../../ledger/merkle.ts';
import type { TreeHead } from '../../ledger/note.ts';
import { TileTree } from '../../ledger/tile-tree.ts';
import { CLASS_NAMES, CLASSES, type OpClass, perClass } from '../../model/class.ts';
import type { Origin } from '../../model/origin.ts';
import type { Files } from '../../platform/files/files.ts';

/** `agrees`: the tree now holds all of it. `untold`: the batch says nothing of a tree. */
export type HistoryOutcome = 'agrees' | 'untold' | 'gap' | 'forked';

type Trees = Readonly<Record<OpClass, TileTree>>;

/** Leaves hashed before other work gets its turn. */
const SLICE_OPS = 2_048;

export class HistoryWatch {
  readonly #files: Files;
  readonly #dir: string;
  readonly #treesByHub = new Map<Origin, Trees>();

  /** `dir` holds a folder for each hub. */
  constructor(files: Files, dir: string) {
    this.#files = files;
    this.#dir = dir;
  }

  /** Compares a verified batch with what is known, and takes in what is new; `save` makes it durable. */
  take(
    manifest: Manifest,
    leaves: readonly Uint8Array[],
    pause: () => Promise<void>,
  ): Promise<HistoryOutcome> {
    return compareHistory(this.#treesOf(manifest.hub)[manifest.class], manifest, leaves, pause);
  }

  /** All of a hub's class that is known. */
  head(hub: Origin, opClass: OpClass): TreeHead {
    const tree = this.#treesOf(hub)[opClass];
    return { size: tree.size, root: tree.root() };
  }

  /** Makes what was taken durable. Rejects with what the disk throws. */
  async save(hub: Origin): Promise<void> {
    const trees = this.#treesOf(hub);
    const grown = CLASSES.filter((opClass) => trees[opClass].size > 0);
    const state: LedgerState = {
      throughLsn: 0,
      trees: new Map(grown.map((opClass) => [opClass, trees[opClass].openTiles()])),
      cosigned: new Map(),
    };
    for (const opClass of grown) await trees[opClass].write();
    writeLedgerState(this.#files, this.#statePath(hub), state);
  }

  /** Forgets what was taken since the last `save`. */
  forget(hub: Origin): void {
    this.#treesByHub.delete(hub);
  }

  #treesOf(hub: Origin): Trees {
    const known = this.#treesByHub.get(hub);
    if (known !== undefined) return known;
    const dir = `${this.#dir}/${hub}`;
    this.#files.makeDir(dir);
    const read = readLedgerState(this.#files, this.#statePath(hub));
    const saved = read.kind === 'state' ? read.state.trees : new Map<OpClass, never>();
    const trees = perClass(
      (opClass) => new TileTree(this.#files, `${dir}/${CLASS_NAMES[opClass]}`, saved.get(opClass)),
    );
    this.#treesByHub.set(hub, trees);
    return trees;
  }

  #statePath(hub: Origin): string {
    return `${this.#dir}/${hub}/state`;
  }
}

/** Compares a batch, whose ops have these leaves, with the tree of its hub and class, and appends to the tree what is new. */
export async function compareHistory(
  tree: TileTree,
  manifest: Manifest,
  leaves: readonly Uint8Array[],
  pause: () => Promise<void>,
): Promise<HistoryOutcome> {
  const { tree: told, skipped } = manifest;
  if (told === undefined) return 'untold';
  const first = firstLeafOf(manifest);
  if (first < 0) return 'forked';
  if (first > tree.size) return 'gap';
  const known = tree.size;
  const all = skipped === undefined ? leaves : [...leavesIn(skipped), ...leaves];
  for (const [at, leaf] of all.entries()) {
    if (at % SLICE_OPS === SLICE_OPS - 1) await pause();
    if (first + at >= known) tree.append(leaf);
    else if (!bytesEqual(tree.node(0, first + at), leaf)) return 'forked';
  }
  return bytesEqual(tree.root(told.size), told.root) ? 'agrees' : 'forked';
}

function leavesIn(hashes: Uint8Array): Uint8Array[] {
  return Array.from({ length: hashes.length / HASH_BYTES }, (_, at) =>
    hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  );
}
