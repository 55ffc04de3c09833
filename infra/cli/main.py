"""The command line: ``penchant COMMAND``.

Each command group is a file in this folder with a function ``register(app)``; ``GROUPS`` lists them.
Those files import typer and the standard library alone: a room is imported inside the command that
needs it, so that ``penchant --help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import typer

from infra.errors import DeliveryError, PenchantError, SettingsError
from infra.metrics_folder import left_by_feast

GROUPS = (
    "infra.cli.demo.command",
    "infra.cli.stack",
    "infra.cli.feast",
    "infra.cli.doctor",
    "infra.cli.ingest",
    "infra.cli.quarantine",
    "infra.cli.validate",
    "infra.cli.features",
    "infra.cli.profile",
    "infra.cli.skew",
    "infra.cli.keep",
    "infra.cli.simulate",
    "infra.cli.train",
    "infra.cli.promote",
    "infra.cli.serve",
)
BAD_INPUT, FAILURE = 2, 1


def build() -> typer.Typer:
    """The application with every command group registered."""
    app = typer.Typer(
        name="penchant",
        help="Captures how the interests of an online shop's users evolve.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for group in GROUPS:
        import_module(group).register(app)
    return app


def main() -> None:
    """Entry point of the script ``penchant``: 0 is success, 1 a failure, 2 bad input or a bad setting."""
    # TensorFlow greets with what the processor can do, on stderr
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for name in left_by_feast(os.environ):
        del os.environ[name]
    try:
        build()()
    except PenchantError as error:
        from infra.cli.output import complain

        complain(error)
        sys.exit(BAD_INPUT if isinstance(error, (SettingsError, DeliveryError)) else FAILURE)
    except OSError as error:
        from infra.cli.output import complain

        complain(PenchantError(f"{error.filename or 'This machine'}: {error.strerror}.", _mend(error)))
        sys.exit(FAILURE)


def _mend(error: OSError) -> str:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full: free some space, or move everything with PENCHANT_HOME."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Mend the permissions, or set PENCHANT_HOME to a folder of yours."
    return "Run 'penchant doctor'."


if __name__ == "__main__":
    main()
