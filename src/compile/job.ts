import type { Description } from './description.js';
import type { Claim } from './output-claims.js';
import type { Plan } from './plan.js';
import type { CompileOptions } from './request.js';
import type { CacheSession, Home } from './session.js';

/** One request on its way through the life of an artifact. */
export interface Job {
  readonly session: CacheSession;
  readonly home: Home;
  readonly plan: Plan;
  readonly description: Description;
  readonly options: CompileOptions;
  /** Set while the compilation writes the outputs at their real places. */
  readonly claim?: Claim;
}
