/**
 * Random crashes that can be repeated.
 * @module
 */
const KILLS = 'GPU_PROVISION_RANDOM_KILLS';
const SEED = 'GPU_PROVISION_SEED';

/** How often a worker is killed, and from which seed the times come. */
export function randomKills(): { readonly kills: number; readonly seed: number } {
  return { kills: whole(KILLS, 1), seed: whole(SEED, Date.now() % 2 ** 31) };
}

function whole(variable: string, usual: number): number {
  const text = process.env[variable] ?? String(usual);
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new Error(`${variable}=${text}: expected a whole number`);
}

/** Numbers from 0 to 1, always the same ones for a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
