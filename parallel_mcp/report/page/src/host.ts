// The page's side of MCP Apps (2026-01-26): JSON-RPC 2.0 with the host, over postMessage.

const PROTOCOL = "2026-01-26";
const NOT_FOUND = -32601;

type Params = Record<string, unknown>;
type Handler = (params: Params) => unknown;

interface Message {
  jsonrpc: "2.0";
  id?: number | string;
  method?: string;
  params?: Params;
  result?: Params;
  error?: { code: number; message: string };
}

export interface HostContext extends Params {
  theme?: "light" | "dark";
  styles?: { variables?: Record<string, unknown>; css?: { fonts?: unknown } };
  displayMode?: string;
  availableDisplayModes?: string[];
  locale?: string;
  timeZone?: string;
  safeAreaInsets?: Record<string, number>;
  toolInfo?: { tool?: { name?: string } };
}

/** The host refused a request or could not fulfil it. */
export class HostError extends Error {}

export class Host {
  capabilities: Params = {};
  context: HostContext = {};
  private readonly waiting = new Map<number, { done: (result: Params) => void; failed: (error: Error) => void }>();
  private readonly handlers = new Map<string, Handler>([["ping", () => ({})]]);
  private last = 0;

  constructor(private readonly parent: Window = window.parent) {
    addEventListener("message", (event: MessageEvent<Message>) => {
      if (event.source === this.parent && event.data?.jsonrpc === "2.0") void this.received(event.data);
    });
  }

  /** Handle a method that the host sends. For a request, the return value is the response. */
  on(method: string, handler: Handler): void {
    this.handlers.set(method, handler);
  }

  /** Initialize the connection. `capabilities` and `context` are set afterwards. */
  async connect(name: string, version: string): Promise<void> {
    const said = await this.request("ui/initialize", {
      appInfo: { name, version },
      appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
      protocolVersion: PROTOCOL,
    });
    this.capabilities = (said.hostCapabilities as Params | undefined) ?? {};
    this.context = (said.hostContext as HostContext | undefined) ?? {};
    this.notify("ui/notifications/initialized");
  }

  can(capability: string): boolean {
    return typeof this.capabilities[capability] === "object" && this.capabilities[capability] !== null;
  }

  request(method: string, params: Params = {}): Promise<Params> {
    const id = ++this.last;
    return new Promise((done, failed) => {
      this.waiting.set(id, { done, failed });
      this.post({ jsonrpc: "2.0", id, method, params });
    });
  }

  notify(method: string, params: Params = {}): void {
    this.post({ jsonrpc: "2.0", method, params });
  }

  private post(message: Message): void {
    // A sandboxed page does not know its host's origin, and nothing here is secret from the host.
    this.parent.postMessage(message, "*");
  }

  private async received(message: Message): Promise<void> {
    if (message.method === undefined) return this.answered(message);
    const handler = this.handlers.get(message.method);
    if (message.id === undefined) return void (await handler?.(message.params ?? {}));
    const { id } = message;
    if (!handler) {
      return this.post({ jsonrpc: "2.0", id, error: { code: NOT_FOUND, message: `Unknown method: ${message.method}` } });
    }
    this.post({ jsonrpc: "2.0", id, result: ((await handler(message.params ?? {})) as Params | undefined) ?? {} });
  }

  private answered(message: Message): void {
    const waiter = typeof message.id === "number" ? this.waiting.get(message.id) : undefined;
    if (!waiter) return;
    this.waiting.delete(message.id as number);
    if (message.error) waiter.failed(new HostError(message.error.message));
    else waiter.done(message.result ?? {});
  }
}
