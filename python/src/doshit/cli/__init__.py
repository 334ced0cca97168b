"""The `doshit` command. Nothing below imports it."""
