import { advise, parseRequirements } from '../../src/model/index.ts';
import type { Line } from './line.ts';

export const adviceLines: readonly Line[] = [
  {
    title: 'advice from the whole catalogue, with weakest parts and what would change the order',
    run: (random) => {
      const { evaluated, front } = advise(
        parseRequirements({
          data: { size: `${100 + Math.floor(200 * random.next())}GiB`, change: '20GiB/day' },
          worth: { downtime: '2000/h', history: '3000/h', data: 2_000_000 },
          team: { hour: 90, response: { lognormal: { median: '15min', p95: '1h' } } },
          needs: { availability: '99.9%', restore: { rto: '2d' } },
        }),
      );
      return `${evaluated} designs, ${front.length} on the front, first ${front[0]!.id}`;
    },
  },
];
