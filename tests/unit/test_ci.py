"""Where the project is judged nothing is left out in silence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests import conftest


@pytest.mark.parametrize(("in_ci", "status"), [(True, pytest.ExitCode.TESTS_FAILED), (False, pytest.ExitCode.OK)])
def test_a_skipped_test_fails_in_ci_only(monkeypatch: pytest.MonkeyPatch, in_ci: bool, status: pytest.ExitCode) -> None:
    monkeypatch.setattr(conftest, "IN_CI", in_ci)
    reporter = SimpleNamespace(stats={"skipped": [SimpleNamespace(nodeid="tests/a.py::test_b")]})
    manager = SimpleNamespace(get_plugin=lambda name: reporter)
    session: Any = SimpleNamespace(config=SimpleNamespace(pluginmanager=manager), exitstatus=pytest.ExitCode.OK)
    conftest.pytest_sessionfinish(session)
    assert session.exitstatus is status


def test_ci_as_nobody_in_particular_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conftest, "IN_CI", True)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(pytest.UsageError, match="as root on Linux"):
        conftest.pytest_configure()
