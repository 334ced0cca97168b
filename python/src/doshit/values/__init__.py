"""Plain values of the protocol: names, times, ids, JSON, signatures. No clock, no I/O."""
