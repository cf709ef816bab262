"""The hosts that attach this server: what is known of each, and writing their configuration."""
