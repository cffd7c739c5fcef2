"""Sessions that wait for their next call: any number of threads use one model, each call has a session of its own."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from . import _cuseq

if TYPE_CHECKING:
    from ._cuseq import Precision


class Pool:
    """Idle sessions of a model on one device, in one precision. Lists are appended to and popped from by one thread at
    a time, as CPython's are; what two threads open at once is one session too many, no more."""

    def __init__(self, model: _cuseq.Model, device: str | None, threads: int, precision: Precision) -> None:
        self.model, self.device, self.threads, self.precision = model, device, threads, precision
        self.idle: list[_cuseq.Session] = []
        self.largest = [1, 1, 1, 1]
        _pools.add(self)

    def take(self, batch: int, time: int, steps: int, beams: int = 1) -> _cuseq.Session:
        """A session that holds a call of these sizes: an idle one, or a new one for the largest sizes so far. Who takes
        one gives it back."""
        while self.idle:
            try:
                session = self.idle.pop()
            except IndexError:
                break
            if session.holds(batch, time, steps, beams):
                return session
            session.close()  # too small: the next one is made for what came since
        self.largest = [max(pair) for pair in zip(self.largest, (batch, time, steps, beams), strict=True)]
        batch, time, steps, beams = self.largest
        return _cuseq.Session(
            self.model, self.device, batch, time, steps, beams, self.threads, precision=self.precision
        )

    def give_back(self, session: _cuseq.Session) -> None:
        if not session.busy:  # a call that was interrupted runs on: the session closes itself after it
            self.idle.append(session)


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _forget() -> None:
    """In the child of a fork: its sessions' threads are gone."""
    for pool in _pools:
        pool.idle = []


os.register_at_fork(after_in_child=_forget)
