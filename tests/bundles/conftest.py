"""`nox -s bundles` installs the packer that these tests need."""

from tests.bundles import NODE

collect_ignore = [] if NODE.is_dir() else ["test_mcpb.py", "test_docker.py", "test_uv.py"]
