/**
 * The event log of a system.
 * @module
 */
import { EVENT_LOG_LINES, eventLogLine } from '../event-log.js';
import type { RedfishApi } from './api.js';
import { Collection, LogEntries, LogService, Manager, type ComputerSystem } from './schema.js';

/** Logs of hardware events under the names BMCs give them, the best first. Audit and session logs are of no use here. */
const EVENT_LOGS = ['SEL', 'Sel', 'EventLog', 'Log1', 'IML', 'Event', 'IEL'];
/** 20 pages of 50 entries: the log is read to its end to find the newest, but not without limit. */
const MAX_PAGES = 20;

type Entry = LogEntries['Members'][number];

/** Newest last; empty where there is no log. */
export async function readSystemLog(
  api: RedfishApi,
  system: ComputerSystem,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  let next = await findEntries(api, system, signal);
  const entries: Entry[] = [];
  for (let page = 0; next && page < MAX_PAGES; page++) {
    const read: LogEntries = await api.get(next, LogEntries, signal);
    entries.push(...read.Members);
    next = read['Members@odata.nextLink'] ?? null;
  }
  // Some BMCs list the newest first; the sort is stable, so entries of one second keep their order.
  return entries
    .toSorted((a, b) => timeOf(a) - timeOf(b))
    .slice(-EVENT_LOG_LINES)
    .map((entry) => eventLogLine([entry.Created, entry.Severity, entry.Message].filter(Boolean).join(' ')));
}

const timeOf = (entry: Entry): number => Date.parse(entry.Created ?? '') || 0;

/** The log is the system's, or its manager's. */
async function findEntries(api: RedfishApi, system: ComputerSystem, signal?: AbortSignal): Promise<string | null> {
  const services = [system.LogServices?.['@odata.id']];
  for (const manager of system.Links?.ManagedBy ?? []) {
    services.push((await api.get(manager['@odata.id'], Manager, signal)).LogServices?.['@odata.id']);
  }
  for (const path of services) {
    if (path === undefined) continue;
    const { Members } = await api.get(path, Collection, signal);
    const logs = await Promise.all(Members.map((member) => api.get(member['@odata.id'], LogService, signal)));
    for (const name of EVENT_LOGS) {
      const entries = logs.find((log) => log.Id === name)?.Entries?.['@odata.id'];
      if (entries !== undefined) return entries;
    }
  }
  return null;
}
