"""What the MCP SDK gets wrong: each piece with its version, and a test that says when it can go."""
