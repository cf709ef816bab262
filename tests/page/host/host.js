// A host of MCP Apps: the official client and app bridge, the page in two nested frames, and a log of what it asked for.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { AppBridge, PostMessageTransport, getToolUiResourceUri } from "@modelcontextprotocol/ext-apps/app-bridge";

const EVERYTHING = {
  openLinks: {}, downloadFile: {}, serverTools: {}, serverResources: {}, logging: {}, updateModelContext: { text: {} },
};

/** A pipe that the test holds the other end of: `pipeSend` is the test's, `pipe.receive` is for it to call. */
class Pipe {
  async start() { window.pipe = { receive: (message) => this.onmessage?.(JSON.parse(message)) }; }
  async send(message) { await window.pipeSend(JSON.stringify(message)); }
  async close() { this.onclose?.(); }
}

window.host = {
  log: [],

  async connect(kind) {
    this.client = new Client({ name: "page-tests", version: "1" }, {
      capabilities: { extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } } },
    });
    await this.client.connect(kind === "stdio" ? new Pipe() : new StreamableHTTPClientTransport(new URL("/mcp", location.href)));
    this.tools = (await this.client.listTools()).tools;
  },

  /** Shows the tool's page and gives it the arguments, as a host does when the model calls a tool. */
  async show(name, args, { capabilities = EVERYTHING, context = {}, answers = {} } = {}) {
    const tool = this.tools.find((one) => one.name === name);
    const { contents: [page] } = await this.client.readResource({ uri: getToolUiResourceUri(tool) });
    if (page.mimeType !== "text/html;profile=mcp-app") throw new Error(page.mimeType);
    const frame = document.createElement("iframe");
    frame.id = "view";
    frame.setAttribute("sandbox", "allow-scripts allow-same-origin");
    document.getElementById("view")?.remove();
    document.body.append(frame);
    const bridge = new AppBridge(this.client, { name: "page-tests", version: "1" }, capabilities, {
      hostContext: { toolInfo: { tool }, displayMode: "inline", ...context },
    });
    const note = (kind, value) => this.log.push({ kind, ...value });
    const ready = new Promise((done) => (bridge.oninitialized = done));
    bridge.onopenlink = async (params) => (note("open-link", params), answers["open-link"] ?? {});
    bridge.ondownloadfile = async (params) => (note("download", params), answers.download ?? {});
    bridge.onmessage = async (params) => (note("message", params), {});
    bridge.onupdatemodelcontext = async (params) => (note("context", params), {});
    bridge.onrequestdisplaymode = async ({ mode }) => {
      note("mode", { mode });
      bridge.setHostContext({ ...this.context, displayMode: mode });
      return { mode };
    };
    bridge.onsizechange = ({ width, height }) => {
      note("size", { width, height });
      frame.style.height = `${height}px`;
    };
    bridge.onsandboxready = () => bridge.sendSandboxResourceReady({ html: page.text, csp: page._meta?.ui?.csp });
    const loaded = bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
    frame.src = `http://localhost:${location.port}/sandbox`;
    await loaded;
    if (capabilities.serverTools) {
      bridge.oncalltool = async (params, extra) => {
        note("call", params);
        if (answers.call) throw new Error(answers.call);
        const result = await this.client.callTool(params, { signal: extra?.mcpReq?.signal });
        note("called", { status: result.structuredContent?.status, isError: result.isError === true });
        return result;
      };
    }
    await ready;
    Object.assign(this, { bridge, frame, args, name, context: { toolInfo: { tool }, displayMode: "inline", ...context } });
    await bridge.sendToolInput({ arguments: args });
  },

  /** What the model does: calls the tool; the page gets the result. */
  async call() {
    const result = await this.client.callTool({ name: this.name, arguments: this.args }).catch((error) => ({
      isError: true, content: [{ type: "text", text: String(error) }],
    }));
    await this.bridge.sendToolResult(result);
    return result;
  },

  /** Gives the page a result; once it answers the ping after it, it has shown it. */
  async result(result) {
    await this.bridge.sendToolResult(result);
    await this.bridge.request({ method: "ping" });
  },
  cancel(reason) { return this.bridge.sendToolCancelled({ reason }); },
  change(context) { this.context = { ...this.context, ...context }; this.bridge.setHostContext(this.context); },
  teardown() { return this.bridge.teardownResource({}); },
};
document.documentElement.dataset.ready = "yes";
