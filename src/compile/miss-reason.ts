import type { MissReason } from '../model/lifecycle.js';
import type { Description } from './description.js';
import type { LookupPlace, NotFound } from './lookup-store.js';
import type { Plan } from './plan.js';
import { changedReason, readHistory, requestShape, type RequestHistory } from './request-history.js';
import type { CacheSession } from './session.js';

/** Why a described request missed: what is wrong with its entry, or what changed since it was last compiled. */
export function missReason(
  session: CacheSession,
  place: Pick<LookupPlace, 'paths' | 'disk'>,
  request: { readonly plan: Plan; readonly description: Description; readonly miss: NotFound },
): MissReason {
  const { plan, description, miss } = request;
  if (miss.reason !== 'absent') return miss.reason;
  const { host } = session;
  const history = readHistory(host, place.paths, requestShape(host, plan));
  const now = { fields: description.fields, discoveredKnown: miss.discoveredKnown };
  const changed = history === null ? null : changedReason(host, declaredOnly(history, description), now);
  return changed ?? (place.disk.isEmpty() ? 'empty-cache' : 'absent');
}

/** Discovered files are judged by their sets; only declared ones are compared with the last request. */
function declaredOnly(history: RequestHistory, description: Description): RequestHistory {
  const declared = new Set(description.fields.map((field) => field.name));
  const fields = [...history.fields].filter(([name]) => !name.startsWith('dep/') || declared.has(name));
  return { ...history, fields: new Map(fields) };
}
