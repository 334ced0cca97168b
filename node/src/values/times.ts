/** Timestamps of the protocol: UTC, six fraction digits, Z. And durations, in seconds. Reads no clock. */

const FORM = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})(\d{3})Z$/;
const LONGEST = 1e10;

/** `2015-12-05T00:19:01.834909Z`. micros: 0 to 999, beyond the milliseconds of a Date. Throws RangeError. */
export function formatTimestamp(moment: Date, micros = 0): string {
  const year = moment.getUTCFullYear();
  if (!(year >= 1 && year <= 9999)) throw new RangeError(`${moment} is no moment from the year 1 to 9999`);
  return `${moment.toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}

/** The moment, as exact as a Date is: to the millisecond. Throws RangeError for anything but the exact form. */
export function parseTimestamp(text: string): Date {
  const [, iso, micros] = FORM.exec(text) ?? [];
  const moment = new Date(`${iso}Z`);
  // A Date is content with the 31st of any month, and with 24 o'clock.
  if (iso === undefined || !isRepeated(moment, text, Number(micros))) {
    throw new RangeError(`${JSON.stringify(text)} is no time like 2015-12-05T00:19:01.834909Z`);
  }
  return moment;
}

function isRepeated(moment: Date, text: string, micros: number): boolean {
  return moment.getUTCFullYear() >= 1 && formatTimestamp(moment, micros) === text;
}

/** A duration in seconds, itself. Throws RangeError below 0, from 10,000,000,000 on, and for what is no number. */
export function secondsOf(duration: number): number {
  if (typeof duration !== 'number' || !(duration >= 0 && duration < LONGEST)) {
    throw new RangeError(`a duration of ${String(duration)} s: give 0 or more seconds`);
  }
  return duration;
}

/** The same as text a person can read, millisecond precision: 10, 0.25. */
export function decimalSeconds(duration: number): string {
  return String(Number(secondsOf(duration).toFixed(3)));
}
