"""Where the flows of the plugin "prefect" are found: `pip install "seeknal-core[prefect]"`.

```python
from seeknal.workflow.prefect_integration import seeknal_run_flow

results = seeknal_run_flow(project_path="/path/to/project")
```
"""

from __future__ import annotations

from importlib import import_module

from seeknal.errors import MissingPluginError

_PLACES = {
    "seeknal_run_flow": "seeknal_prefect.flows",
    "seeknal_backfill_flow": "seeknal_prefect.flows",
    "create_prefect_deployment": "seeknal_prefect.deployments",
    "PrefectRunResult": "seeknal_prefect.results",
}

__all__ = list(_PLACES)


def __getattr__(name: str) -> object:
    """Raises MissingPluginError when the plugin isn't installed."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import_module("seeknal_prefect")
    except ImportError as error:
        raise MissingPluginError(
            f'{name} needs the plugin "prefect", which is not installed. '
            'Try: pip install "seeknal-core[prefect]"'
        ) from error
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(_PLACES)
