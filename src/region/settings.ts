/** What hubs have said of the settings that the region asks for, from the readings of their site. */
import { textOf } from '../base/bytes.ts';
import { isoTime } from '../base/iso-time.ts';
import { configReportKey } from '../hub/sync/remote-config.ts';
import type { SiteStorage } from '../regional/site-storage.ts';
import type { SettingsReport } from '../status/region/region-settings.ts';

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
  const query = { key: configReportKey(hub), toMs: Number.MAX_SAFE_INTEGER, stepMs: 0 };
  let newest: SettingsReport | undefined;
  let fromMs: number | undefined = 0;
  for (let page = 0; page < PAGES_MAX && fromMs !== undefined; page++) {
    const { points, nextFromMs } = await storage.readings({ ...query, fromMs });
    for (const { atMs, payload } of points) {
      const said = payload === undefined ? undefined : saidIn(payload);
      if (said !== undefined) newest = { hub, at: isoTime(atMs), ...said };
    }
    fromMs = nextFromMs;
  }
  return newest;
}

function saidIn(payload: Uint8Array): Omit<SettingsReport, 'hub' | 'at'> | undefined {
  try {
    const said = JSON.parse(textOf(payload) ?? '') as Omit<SettingsReport, 'hub' | 'at'>;
    const isReport = typeof said.set === 'object' && Array.isArray(said.refused);
    return isReport ? { state: said.state, set: said.set, refused: said.refused } : undefined;
  } catch {
    return undefined;
  }
}
