"""Work in the background, of which only the newest matters."""

import threading
from contextlib import contextmanager
from functools import partial


class Unwanted(Exception):
    """Raised inside a job that was replaced or cancelled, to leave it."""


class Worker:
    """Runs one job at a time, each in a thread of its own. A newer job replaces the one that runs or waits.

    A job is called with `wanted`, a context manager: what it does inside `with wanted():` happens only while
    the job is the newest, and no newer one starts meanwhile; otherwise `Unwanted` is raised there, and the
    job ends. So a job that asks often is left soon, and an old result never follows a new one.

    Args:
        on_error: called with the exception that a job raised, in the thread, if the job is still wanted.
    """

    def __init__(self, on_error):
        self._on_error = on_error
        self._changed = threading.Condition()
        self._newest = None  # the job that is wanted; it may wait for an older one to leave
        self._thread = None

    @property
    def busy(self):
        """Whether there is a job that is wanted."""
        return self._newest is not None

    @contextmanager
    def start(self, job):
        """Replace whatever runs by `job`, which starts after the body of this `with`."""
        with self._changed:
            self._newest = job
            yield
            self._go_on()

    @contextmanager
    def cancel(self):
        """Want nothing any more. What stands in the body happens before anything else can start."""
        with self._changed:
            self._newest = None
            yield

    def wait(self, timeout=None):
        """Wait until nothing runs; False if that takes longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, timeout)

    def _go_on(self):
        """Begin the job that is wanted, unless an older one has yet to leave."""
        if self._newest and not self._thread:
            self._thread = threading.Thread(target=self._run, args=(self._newest,), daemon=True)
            self._thread.start()

    def _run(self, job):
        try:
            job(partial(self._wanted, job))
        except Unwanted:
            pass  # it has left, as it should
        except Exception as error:
            with self._changed:
                if self._newest is job:
                    self._on_error(error)
        finally:  # even where the error could not be told: others wait, or come later
            with self._changed:
                if self._newest is job:
                    self._newest = None
                self._thread = None
                self._go_on()
                self._changed.notify_all()

    @contextmanager
    def _wanted(self, job):
        with self._changed:
            if self._newest is not job:
                raise Unwanted
            yield
