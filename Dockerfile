FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY parallel_mcp ./parallel_mcp
RUN python -m venv /opt/parallel-mcp \
    && /opt/parallel-mcp/bin/pip install --no-cache-dir ".[redis,otel]"

FROM python:3.13-slim
RUN useradd --uid 10001 --create-home mcp \
    && install --directory --owner mcp --group mcp --mode 0700 /data
COPY --from=build /opt/parallel-mcp /opt/parallel-mcp
ENV PATH="/opt/parallel-mcp/bin:$PATH" \
    PARALLEL_MCP_STORE="/data/research.sqlite3" \
    PARALLEL_MCP_HOST="0.0.0.0" \
    PARALLEL_MCP_PORT="8765"
USER 10001
VOLUME ["/data"]
EXPOSE 8765
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/healthz', timeout=2)"]
# `docker run -i --rm IMAGE stdio` serves MCP over pipes instead of HTTP.
ENTRYPOINT ["parallel-mcp"]
CMD ["http"]
