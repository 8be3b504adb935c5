"""The children that the suite for state backends works with."""

from __future__ import annotations

import time

import pytest

from seeknal.testing import processes


def test_one_that_hangs_is_killed_and_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.2)
    with pytest.raises(AssertionError, match=r"children ended with \[-9\]"):
        processes.in_children([lambda: time.sleep(60)])
    with pytest.raises(AssertionError, match="it hangs"):
        processes.killed(lambda tell: time.sleep(60), 0)
