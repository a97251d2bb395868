import type { BmcFault, BmcFaultEffect } from './options.js';

/** Counts how often each rule has struck. */
export class BmcFaults {
  private readonly struck = new Map<BmcFault, number>();

  constructor(private readonly rules: readonly BmcFault[]) {}

  strikes(effect: BmcFaultEffect): boolean {
    const rule = this.rules.find((r) => r.effect === effect && (this.struck.get(r) ?? 0) < (r.times ?? Infinity));
    if (rule === undefined) return false;
    this.struck.set(rule, (this.struck.get(rule) ?? 0) + 1);
    return true;
  }
}
