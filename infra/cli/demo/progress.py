"""What the demo shows while it works: which stage of how many, what runs, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

Say = Callable[[str], None]


@dataclass
class Stages:
    """Numbers the stages, times them, and prints a line when one is done.

    On a terminal the running stage has a line that moves; elsewhere what it says is printed when it
    changes, at most every five seconds, so that a log stays readable.
    """

    console: Console
    total: int
    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @contextmanager
    def stage(self, key: str, title: str) -> Iterator[Say]:
        """Run one stage; yields a function that says what it is doing now."""
        number, begun = len(self.seconds) + 1, time.monotonic()
        head = f"[bold]{number:>2}/{self.total}[/] {title}"
        with self._line(head) as say:
            yield say
        self.seconds[key] = round(time.monotonic() - begun, 1)
        self.console.print(f"[green]✓[/] {head} [dim]{clock(self.seconds[key])}, {clock(self.elapsed)} in all[/]")

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    @contextmanager
    def _line(self, head: str) -> Iterator[Say]:
        if self.console.is_terminal:
            with self.console.status(f"{head} …") as status:
                yield lambda text: status.update(f"{head} [dim]{text} · {clock(self.elapsed)} in all[/]")
        else:
            yield _Lines(self.console, head)


@dataclass
class _Lines:
    console: Console
    head: str
    last: str = ""
    printed: float = 0.0

    def __call__(self, text: str) -> None:
        if text != self.last and time.monotonic() - self.printed > 5:
            self.last, self.printed = text, time.monotonic()
            self.console.print(f"  {self.head} [dim]{text}[/]")


def clock(seconds: float) -> str:
    """Minutes and seconds, ``2:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
