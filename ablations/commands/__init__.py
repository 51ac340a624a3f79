"""What each command of `vaebench` does: one file a command, called like it."""
