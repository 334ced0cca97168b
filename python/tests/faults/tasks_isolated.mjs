/** The functions of tasks.mjs, each run of each in a process of its own. */

import functions from './tasks.mjs';

const alone = (given) => (typeof given === 'function' ? { handler: given } : given);

export default Object.fromEntries(
  Object.entries(functions).map(([name, given]) => [name, { ...alone(given), isolate: true }]),
);
