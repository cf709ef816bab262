"""Parallel MCP: web answers and deep research with citations, for agents."""
