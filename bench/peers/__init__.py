"""The same small study, run by vaebench and by its peers, side by side: `nox -s peers`."""
