/** What a worker of a story serves that knows echo only. */

import functions from './tasks.js';

export default { echo: functions.echo };
