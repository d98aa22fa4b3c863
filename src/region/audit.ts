/**
 * The audit log of a regional node: which ops came, were receipted or refused, or may not come, of whom, in the lines that hubs write too. Of a
 * fleet each worker tells what it did itself, in its own data directory; the database has the receipts of all.
 */
import { type AuditedBatch, AuditTrail } from '../audit/audit-trail.ts';
import type { BatchId } from '../batch/batch-id.ts';
import type { Manifest } from '../batch/manifest.ts';
import type { Closers } from '../closers.ts';
import type { Config } from '../config/schema.ts';
import type { Machine } from '../machine.ts';
import type { SiteAudit } from '../regional/site.ts';

/** Below the regional node's folder. */
export function regionAuditDir(dir: string): string {
  return `${dir}/audit`;
}

/** Undefined where `audit.enabled` is false. */
export function openRegionAudit(
  { audit }: Config,
  { files, clock, timers, log }: Machine,
  dir: string,
  closers: Closers,
): SiteAudit | undefined {
  if (!audit.enabled) return undefined;
  const place = { files, dir: regionAuditDir(dir), filesMax: audit.mibMax };
  const trail = closers.add(AuditTrail.open({ ...place, clock, timers, log }));
  return {
    stored: (id, manifest) => trail.stored(audited(id, manifest), manifest),
    hindered: (of, reason) => trail.hindered(reason, of),
    refused: (id, manifest, reason) => trail.refused(audited(id, manifest), reason, manifest),
  };
}

function audited(id: BatchId, manifest: Manifest): AuditedBatch {
  const { class: opClass, ranges, fromLsn, throughLsn, ops } = manifest;
  return { id, class: opClass, ranges, fromLsn, throughLsn, ops };
}
