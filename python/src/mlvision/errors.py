"""The errors of a training run that have a name: each is one sentence that says what is the case."""

from __future__ import annotations


class TrainingError(Exception):
    """The parent of all that is the user's, the data's or the machine's fault, not a bug."""


class ConfigError(TrainingError):
    """The configuration has an unknown key or a value of the wrong type or range."""


class DataMissing(TrainingError):
    """The data set is not there and could not be downloaded."""


class DataCorrupt(TrainingError):
    """The data set's files are not what they should be."""


class DeviceMissing(TrainingError):
    """The device that was asked for is not there, or cannot compute in that precision."""


class LossNotFinite(TrainingError):
    """The loss became NaN or infinite."""


class CheckpointMismatch(TrainingError):
    """The checkpoint belongs to a training with other settings or other data."""


class PeerMissing(TrainingError):
    """Not all processes of a training came."""


class PeerLost(TrainingError):
    """Another process of this training is gone: the reason is to be told by whoever saw it go."""


class Stopped(Exception):
    """The run was asked to stop and did, after writing a checkpoint if it has a folder for them.

    ``epoch`` is the one that was going on.
    """

    def __init__(self, reason: str, epoch: int, checkpoint: str | None) -> None:
        super().__init__(f"stopped in epoch {epoch} ({reason}).")
        self.reason = reason
        self.epoch = epoch
        self.checkpoint = checkpoint
