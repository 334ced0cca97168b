"""The child's side: runs tasks, one at a time. Opens no Redis connection of its own."""
