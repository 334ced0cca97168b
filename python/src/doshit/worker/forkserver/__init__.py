"""The fork server's side: imports the user's code once, forks children from it. Runs no task, knows no Redis."""
