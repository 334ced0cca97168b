/** What `npx doshit worker limits-tasks.js` serves: handlers in one process, and isolated ones in processes of their own. */

export default {
  spin: {
    isolate: true,
    timeLimit: 1,
    handler: () => {
      for (;;);
    },
  },
  hoard: {
    isolate: true,
    memoryLimit: '100MB',
    handler: () => {
      const kept = [];
      for (;;) kept.push(Buffer.alloc(1_000_000, 'x'));
    },
  },
  leave: { isolate: true, handler: () => process.exit(3) },
  reply: () => 'still here',
};
