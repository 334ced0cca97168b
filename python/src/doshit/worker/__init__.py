"""The worker: a supervisor without user code, a fork server that imports it once, warm children that run it."""
