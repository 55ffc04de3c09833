"""The errors a person may see: what is wrong, where, and how to mend it."""

from __future__ import annotations


class PenchantError(Exception):
    """Base of every error that the library raises on purpose.

    Args:
        what: what is wrong, one sentence, naming file, row and column where there are any.
        mend: what the reader can do about it, one sentence.
    """

    def __init__(self, what: str, mend: str = "") -> None:
        self.what = what
        self.mend = mend
        super().__init__(f"{what} {mend}".strip())


class SettingsError(PenchantError):
    """A setting that cannot be used."""


class MachineError(PenchantError):
    """This machine lacks something: a port, disk space, a binary, a newer Python."""


class ServiceError(PenchantError):
    """A server that does not start, answer or stop."""


class DeliveryError(PenchantError):
    """A delivery that cannot be read as a whole; nothing of it was taken."""


class PartitionRefused(PenchantError):
    """A partition that the gate stopped before anything downstream saw it."""


class LakeError(PenchantError):
    """A file of the lake that is gone, not whole, or of another layout than its readers expect."""


class FeatureError(PenchantError):
    """A feature, view or entity that does not exist, or a table that lacks what it needs."""


class SkewError(PenchantError):
    """Answers were made from other values than the lake says."""


class TrainingError(PenchantError):
    """A training set or a model that cannot be made from what there is."""


class RegistryError(PenchantError):
    """A version, alias or ledger entry that cannot be found or moved."""
