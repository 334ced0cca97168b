/** What the isolated worker of the benchmarks serves: a function that does nothing, in a process of its own. */

export const add = { isolate: true, handler: async ({ a, b }) => a + b };
