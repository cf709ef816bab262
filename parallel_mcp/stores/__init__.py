"""Where research runs are stored: SQLite on one machine, Redis on many."""
