/** What an engine has to say to a person. Writes nothing itself. */

export type Level = 'debug' | 'info' | 'warning' | 'error';

/** Takes one line. What comes from Redis in it is made printable by whoever shows it. */
export type Log = (level: Level, message: string) => void;
