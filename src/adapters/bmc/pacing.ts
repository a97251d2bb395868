/**
 * How patient the BMC adapters are, in one place. All together stay below the five minutes that an activity has.
 * @module
 */
export interface BmcPacing {
  /** For one answer. BMCs compute some only when asked: a cold inventory or a full log takes 10 to 20 s. */
  readonly answerLimitMs: number;
  /** Between two looks at the power state. BMCs answer within a second and need not be asked more often. */
  readonly pollMs: number;
  /** Cutting the power takes seconds. */
  readonly offLimitMs: number;
  /** An operating system that shuts down stops its services first; one that hangs never does. */
  readonly softOffLimitMs: number;
  /** Power supplies of GPU servers hold their charge for seconds; GPUs and NVSwitches must really lose it. */
  readonly offPauseMs: number;
  /** Until the BMC reports on, which is long before the firmware is done. */
  readonly onLimitMs: number;
}

export const BMC_PACING: BmcPacing = {
  answerLimitMs: 30_000,
  pollMs: 2_000,
  offLimitMs: 60_000,
  softOffLimitMs: 120_000,
  offPauseMs: 15_000,
  onLimitMs: 60_000,
};
