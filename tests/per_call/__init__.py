"""Frameworks that start a server for each call, and what a run that outlives its call costs there."""
