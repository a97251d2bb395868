/** Everything the run will download can be had: a site without internet needs mirrors, and each is named. */
import { bad, good, plural, type Check } from '../check.js';

export const NETWORK_CHECKS: readonly Check[] = [
  {
    id: 'network.downloads',
    fails: 'block',
    evaluate: ({ reach: { asked, silent } }) => {
      if (silent.length === 0)
        return good(asked === 0 ? 'nothing is to be downloaded' : `${plural(asked, 'source')} of downloads answer`);
      return bad(`the host cannot reach ${silent.map(({ what }) => what).join(', ')}`, {
        urls: silent.flatMap(({ urls }) => urls),
      });
    },
    remedy: ({ reach: { silent } }) =>
      `open the way for the host (evidence: --json), or name copies in ${[...new Set(silent.map(({ mirror }) => `mirrors.${mirror}`))].join(', ')}`,
  },
];
