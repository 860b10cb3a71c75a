"""`errata study`: an experiment as one file, from its students and lessons to a verdict on each claim."""
