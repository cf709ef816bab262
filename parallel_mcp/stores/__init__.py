"""Where research is kept."""
