"""Runs in a browser while they go on: a list of them, the progress of each, and its report. Nothing is written."""
