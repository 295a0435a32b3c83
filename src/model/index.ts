/** Hours of the year that the model counts in: 365 days. What is published with 365.25 or 366 days differs in the fourth digit. */
export const YEAR_HOURS = 365 * 24;
