/** Without a journal, with one of every second, and with one that commits wait for. */
export const ways = ['none', '1s', 'sync'] as const;
export type Way = (typeof ways)[number];
