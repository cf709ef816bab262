"""The hosts that this server can be added to: what is known about each, and writing their configuration."""
