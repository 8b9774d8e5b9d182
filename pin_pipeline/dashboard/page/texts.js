// Formatting of numbers, durations and times.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export const count = (number) => whole.format(number);

export const rate = (number) => (number >= 100 ? whole : short).format(number);

export function duration(seconds) {
  if (seconds < 0.9995) return `${Math.round(Math.max(seconds, 0) * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 48 * 3600 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} days`;
}

/** Formats the time that has passed since a moment. */
export function ago(moment, now) {
  const seconds = (now - moment) / 1000;
  return seconds < 1 ? "just now" : `${duration(Math.floor(seconds)).replace(".0", "")} ago`;
}

/** Formats a time of day in the time zone of the browser, with the date unless it is that of `now`. */
export function time(moment, { seconds = true, now = moment } = {}) {
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(seconds && { second: "2-digit" }) };
  const date = now.toDateString() !== moment.toDateString() && { day: "numeric", month: "short" };
  return moment.toLocaleString("en-GB", { ...options, ...date });
}
