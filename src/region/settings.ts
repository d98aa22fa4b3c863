/** What hubs have said of the settings that the region asks for, from the readings of their site. */
import { textOf } from '../base/bytes.ts';
import { isoTime } from '../base/iso-time.ts';
import { configReportKey } from '../hub/uplink/remote-config.ts';
import type { SiteStorage } from '../regional/site-storage.ts';
import type { SettingsReport } from '../status/region/region-settings.ts';
import { saidUnder } from './said.ts';

const PAGES_MAX = 20;

/** Newest word of each hub that has said anything. */
export async function settingsOf(storage: SiteStorage): Promise<SettingsReport[]> {
  const reports: SettingsReport[] = [];
  for (const { hub } of await storage.hubs()) {
    const report = await newestOf(storage, hub);
    if (report !== undefined) reports.push(report);
  }
  return reports;
}

async function newestOf(storage: SiteStorage, hub: string): Promise<SettingsReport | undefined> {
  let newest: SettingsReport | undefined;
  const words = saidUnder(configReportKey(hub), storage, { pagesMax: PAGES_MAX });
  for await (const { atMs, payload } of words) {
    const report = reportIn(payload);
    if (report !== undefined) newest = { hub, at: isoTime(atMs), ...report };
  }
  return newest;
}

function reportIn(payload: Uint8Array): Omit<SettingsReport, 'hub' | 'at'> | undefined {
  try {
    const said = JSON.parse(textOf(payload) ?? '') as Omit<SettingsReport, 'hub' | 'at'>;
    const isReport = typeof said.set === 'object' && Array.isArray(said.refused);
    return isReport ? { state: said.state, set: said.set, refused: said.refused } : undefined;
  } catch {
    return undefined;
  }
}
