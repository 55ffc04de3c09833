"""From files that somebody names to a table of typed rows, each with the reasons against it."""
