"""The client's side of the tasks extension, for which the SDK has only hooks."""

from collections.abc import Callable
from typing import Any, Literal

import anyio
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.session import ClientSession
from mcp_types import CallToolResult, Request, RequestParams, Result

IDENTIFIER = "io.modelcontextprotocol/tasks"


class Task(Result):
    """A task as `tasks/get` returns it."""

    task_id: str
    status: Literal["working", "completed", "failed", "cancelled", "input_required"]
    status_message: str | None = None
    created_at: str
    last_updated_at: str
    ttl_ms: int | None
    poll_interval_ms: int | None = None
    result: dict[str, Any] | None = None


class Handle(Task):
    """A task in place of a tool's result."""

    result_type: Literal["task"]


class TaskParams(RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    input_responses: dict[str, Any]


class GetTask(Request[TaskParams, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    name_param = "taskId"


class CancelTask(Request[TaskParams, Literal["tasks/cancel"]]):
    method: Literal["tasks/cancel"] = "tasks/cancel"
    name_param = "taskId"


class UpdateTask(Request[UpdateParams, Literal["tasks/update"]]):
    method: Literal["tasks/update"] = "tasks/update"
    name_param = "taskId"


class Tasks(ClientExtension):
    """Declares the extension. A call that became a task is polled to its end."""

    identifier = IDENTIFIER

    def __init__(self) -> None:
        self.handle = anyio.Event()

    def claims(self) -> list[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Handle, resolve=self._resolve)]

    async def _resolve(self, handle: Handle, context: ClaimContext) -> CallToolResult:
        self.handle.set()
        return CallToolResult.model_validate((await over(context.session, handle.task_id)).result)


async def call(client: Client, question: str = "Why?", **arguments: Any) -> Any:
    """The result of `deep_research`: a Handle or a CallToolResult."""
    given = {"question": question, "model": "lite", **arguments}
    return await client.session.call_tool("deep_research", given, allow_claimed=True)


async def started(client: Client, question: str = "Why?", **arguments: Any) -> Handle:
    """The handle of a research run that becomes a task."""
    handle = await call(client, question, **arguments)
    assert isinstance(handle, Handle), handle
    return handle


async def get(session: ClientSession, task_id: str) -> Task:
    return await session.send_request(GetTask(params=TaskParams(task_id=task_id)), Task)


async def cancel(session: ClientSession, task_id: str) -> Result:
    return await session.send_request(CancelTask(params=TaskParams(task_id=task_id)), Result)


async def update(session: ClientSession, task_id: str) -> Result:
    params = UpdateParams(task_id=task_id, input_responses={"never asked": {"action": "accept"}})
    return await session.send_request(UpdateTask(params=params), Result)


async def until(session: ClientSession, task_id: str, condition: Callable[[Task], bool]) -> Task:
    """Poll, as the protocol says, until the task is as wanted."""
    with anyio.fail_after(20):
        while not condition(task := await get(session, task_id)):
            await anyio.sleep(0.01)
    return task


async def over(session: ClientSession, task_id: str) -> Task:
    return await until(session, task_id, lambda task: task.status != "working")
