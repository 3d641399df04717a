"""Checkpoints and computed timeouts of a Breakwater sidecar, for asyncio and for Celery tasks."""

from .checkpoints import (
    CheckpointData,
    CheckpointManager,
    CheckpointStage,
    SyncCheckpointManager,
    get_checkpoint_manager,
    get_sync_checkpoint_manager,
)
from .control import BreakwaterError, Refused, Settings, Unauthorized, Unavailable
from .timeouts import TimeoutManager, Timeouts, get_timeout_manager

__all__ = [
    "BreakwaterError",
    "CheckpointData",
    "CheckpointManager",
    "CheckpointStage",
    "Refused",
    "Settings",
    "SyncCheckpointManager",
    "TimeoutManager",
    "Timeouts",
    "Unauthorized",
    "Unavailable",
    "get_checkpoint_manager",
    "get_sync_checkpoint_manager",
    "get_timeout_manager",
]
