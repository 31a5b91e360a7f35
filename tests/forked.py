"""The console as a child process that need not be started anew: a fork of the tests' own, which has it imported.

Half a second of a console's processor time is its imports, and the tests start hundreds. What is forked is cleared of
what belongs to the tests: open files, signal handlers, warnings as errors, log handlers, a running event loop.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import signal
import subprocess
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from console.cli import main

PRELOADED = ("console.cli.headless", "console.cli.plan", "console.cli.chaos_run", "console.session")


class ForkedConsole(subprocess.Popen[str]):
    """`gameday ARGUMENTS` as `subprocess.Popen` would run it, on Linux and macOS."""

    def _execute_child(self, args: Sequence[str], *more: Any) -> None:
        # executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell, and six pipes' ends
        env, pipes, extra = more[5], more[9:15], more[15:]
        start_new_session = extra[5]
        for name in PRELOADED:
            importlib.import_module(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on: the tests' process may have threads
            self.pid = os.fork()
        if self.pid == 0:
            _become_console(args, env, (pipes[0], pipes[3], pipes[5]), start_new_session=start_new_session)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def _become_console(
    args: Sequence[str], env: Mapping[str, str], streams: tuple[int, int, int], *, start_new_session: bool
) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        gc.freeze()  # nothing of the tests is finalized here: its files are closed below all the same
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if start_new_session:
            os.setsid()
        for fd, source in enumerate(streams):
            if source not in (-1, fd):
                os.dup2(source, fd)
            os.set_inheritable(fd, True)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.environ.clear()
        os.environ.update(env)
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        sys.argv = ["gameday", *args]
        asyncio._set_running_loop(None)
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        logging.getLogger().handlers.clear()
        main(list(args))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                code = code or 120
        os._exit(code)
