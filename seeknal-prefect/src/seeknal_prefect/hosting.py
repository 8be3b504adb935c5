"""The flow run that Prefect's tasks belong to: the one we are in, or one of our own."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextvars import Context, copy_context
from typing import Any, NamedTuple
from uuid import UUID

from prefect import Flow, flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import Cancelled, Completed, Failed

from seeknal.workflow.task import Task
from seeknal_prefect.server import telling_of_servers


class Host:
    """A flow run: its id, and the context in which its tasks are submitted."""

    def __init__(self, context: Context, flow_run_id: UUID) -> None:
        self.context, self.flow_run_id = context, flow_run_id

    def end(self, outcome: str, message: str) -> None:
        """There is nothing more to submit. outcome: success, failed or interrupted."""


class _Hosted(NamedTuple):
    """begun: the context of a flow run, and its id. outcome: the state in which it is to end.
    over: it has ended in it."""

    begun: Future[tuple[Context, UUID]]
    outcome: Future[State[Any]]
    over: threading.Event


_hosted: dict[str, _Hosted] = {}
"""By run. What belongs to this process is kept out of the flow, which travels to others."""


def _host(run_id: str) -> State[Any]:
    found = FlowRunContext.get()
    assert found is not None
    assert found.flow_run is not None
    hosted = _hosted[run_id]
    hosted.begun.set_result((copy_context(), found.flow_run.id))
    return hosted.outcome.result()


def tell_seeknal(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """It is over: what Prefect then does for up to a second needn't be waited for."""
    _hosted[flow_run.parameters["run_id"]].over.set()


@flow(
    name="seeknal-run",
    flow_run_name="{environment} {run_id}",
    persist_result=False,
    on_completion=[tell_seeknal],
    on_failure=[tell_seeknal],
)
def hosting_flow(project_path: str, environment: str, run_id: str) -> State[Any]:
    """A run that was begun by `seeknal run` or another command, and shows here."""
    return _host(run_id)


class OwnFlow(Host):
    """A flow run of our own, in a thread. It is there from the first moment, and ends with `end`.

    Raises NoServerError when there is no server.
    """

    def __init__(self, first: Task) -> None:
        begun: Future[tuple[Context, UUID]] = Future()
        self._hosted = hosted = _Hosted(begun, Future(), threading.Event())
        _hosted[first.run_id] = hosted

        def run() -> None:
            try:
                hosting_flow(first.project_path, first.environment, first.run_id, return_state=True)
            except BaseException as error:
                if not begun.done():
                    begun.set_exception(error)
            finally:
                if _hosted.get(first.run_id) is hosted:  # and not of one that came after it
                    del _hosted[first.run_id]
                hosted.over.set()

        threading.Thread(
            target=copy_context().run, args=(run,), name="seeknal-flow", daemon=True
        ).start()
        with telling_of_servers():
            super().__init__(*begun.result())

    def end(self, outcome: str, message: str) -> None:
        states = {"failed": Failed, "interrupted": Cancelled}
        if not self._hosted.outcome.done():
            self._hosted.outcome.set_result(states.get(outcome, Completed)(message=message))
        self._hosted.over.wait()


def host_of(first: Task) -> Host:
    """The flow run around the caller, or a new one."""
    around = FlowRunContext.get()
    if around is not None and around.flow_run is not None:
        return Host(copy_context(), around.flow_run.id)
    return OwnFlow(first)
