"""Frameworks that start a server per call, and what a run that outlives its call costs there."""
