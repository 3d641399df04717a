"""make-video's checkpoint manager, kept by the sidecar: the same names, the same arguments, the same seven fields."""

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, TypeVar, Union
from urllib.parse import quote
from uuid import UUID

import httpx

from .control import AsyncControl, Call, Settings, SyncControl

T = TypeVar("T")

#: Items between two saves while nobody says otherwise.
INTERVAL = 10


class CheckpointStage(str, Enum):
    """make-video's stages. Any other name of small letters, digits and _ is taken as well."""

    ANALYZING_AUDIO = "analyzing_audio"
    FETCHING_SHORTS = "fetching_shorts"
    DOWNLOADING_SHORTS = "downloading_shorts"
    VALIDATING_SHORTS = "validating_shorts"
    SELECTING_SHORTS = "selecting_shorts"
    BUILDING_VIDEO = "building_video"
    COMPLETED = "completed"


#: An enumeration of the service's own is taken for its values.
Stage = Union[Enum, str]

#: Of a job, or of an item. The sidecar knows ids by their text: 7 and "7" are one.
Id = Union[str, int, UUID]


@dataclass
class CheckpointData:
    """What of a job is done."""

    stage: str
    #: completed_items / total_items; 0 when the total is 0.
    progress: float
    completed_items: int
    total_items: int
    item_ids: List[str]
    metadata: Dict[str, Any]
    #: ISO 8601.
    timestamp: str

    def to_dict(self) -> Dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> "CheckpointData":
        return cls(**{name: data[name] for name in cls.__dataclass_fields__})


def _id(value: Any) -> str:
    if value is None or isinstance(value, bool):
        raise TypeError(f"{value!r} is no id")
    return str(value)


def _path(job_id: Id, rest: str = "") -> str:
    return f"/v1/checkpoints/{quote(_id(job_id), safe='')}{rest}"


def _name(stage: Stage) -> str:
    return str(stage.value) if isinstance(stage, Enum) else stage


def _done(_: httpx.Response) -> bool:
    return True


def _not_done() -> bool:
    return False


def _save(
    job_id: Id,
    stage: Stage,
    completed_items: int,
    total_items: int,
    item_ids: Sequence[Id],
    metadata: Optional[Dict[str, Any]],
    attempt: Optional[int],
) -> "Call[bool]":
    body: Dict[str, Any] = {
        "stage": _name(stage),
        "completed_items": completed_items,
        "total_items": total_items,
        "item_ids": [_id(item) for item in item_ids],
        "metadata": metadata or {},
    }
    if attempt is not None:
        body["attempt"] = attempt
    return Call("PUT", _path(job_id), _done, _not_done, json=body)


def _append(
    job_id: Id,
    stage: Stage,
    item_ids: Iterable[Id],
    total_items: Optional[int],
    metadata: Optional[Dict[str, Any]],
    attempt: Optional[int],
) -> "Call[bool]":
    body: Dict[str, Any] = {"stage": _name(stage), "item_ids": [_id(item) for item in item_ids]}
    given = {"total_items": total_items, "metadata": metadata, "attempt": attempt}
    body.update({name: value for name, value in given.items() if value is not None})
    return Call("POST", _path(job_id, "/items"), _done, _not_done, json=body)


def _load(job_id: Id, stage: Optional[Stage]) -> "Call[Optional[CheckpointData]]":
    def read(response: httpx.Response) -> Optional[CheckpointData]:
        return None if response.status_code == 404 else CheckpointData.from_dict(response.json())

    params = {} if stage is None else {"stage": _name(stage)}
    return Call("GET", _path(job_id), read, lambda: None, params=params, answers=frozenset({404}))


def _due(completed_items: int, total_items: int, interval: Optional[int]) -> "Call[bool]":
    def by_interval() -> bool:
        return completed_items % (interval or INTERVAL) == 0 or completed_items == total_items

    def read(response: httpx.Response) -> bool:
        return by_interval() if interval is not None else bool(response.json()["due"])

    # Whether it is time does not depend on the job.
    params = {"completed": completed_items, "total": total_items}
    return Call("GET", _path("-", "/due"), read, by_interval, params=params)


def _clear(job_id: Id) -> "Call[bool]":
    return Call("DELETE", _path(job_id), _done, _not_done)


def _remaining(
    checkpoint: Optional[CheckpointData], all_items: Sequence[T], item_id_extractor: Callable[[T], Any]
) -> List[T]:
    finished = set(checkpoint.item_ids) if checkpoint is not None else set()
    return [item for item in all_items if _id(item_id_extractor(item)) not in finished]


class CheckpointManager:
    """For asyncio, as make-video's own. Calls that save answer whether they did."""

    def __init__(self, settings: Settings = Settings()) -> None:
        self._control = AsyncControl(settings)
        self._interval: Optional[int] = None

    async def save_checkpoint(
        self,
        job_id: Id,
        stage: Stage,
        completed_items: int,
        total_items: int,
        item_ids: Sequence[Id],
        metadata: Optional[Dict[str, Any]] = None,
        attempt: Optional[int] = None,
    ) -> bool:
        """Saves the record whole. attempt: number of the attempt at the job; an older one is Refused with 409."""
        return await self._control.send(
            _save(job_id, stage, completed_items, total_items, item_ids, metadata, attempt)
        )

    async def append_items(
        self,
        job_id: Id,
        stage: Stage,
        item_ids: Iterable[Id],
        total_items: Optional[int] = None,
        metadata: Optional[Dict[str, Any]] = None,
        attempt: Optional[int] = None,
    ) -> bool:
        """Adds finished items as a set union, atomically: several workers may do so at once. Once this answers True,
        they are on disk."""
        return await self._control.send(_append(job_id, stage, item_ids, total_items, metadata, attempt))

    async def load_checkpoint(self, job_id: Id, stage: Optional[Stage] = None) -> Optional[CheckpointData]:
        """The record, of the newest stage when none is named; None when there is none."""
        return await self._control.send(_load(job_id, stage))

    async def should_save_checkpoint(self, completed_items: int, total_items: int) -> bool:
        """Whether it is time: by the sidecar's checkpoints.interval, or by set_checkpoint_interval."""
        return await self._control.send(_due(completed_items, total_items, self._interval))

    async def get_remaining_items(
        self, job_id: Id, all_items: Sequence[T], item_id_extractor: Callable[[T], Any] = str
    ) -> List[T]:
        """Those not finished, in order; all of them when there is no checkpoint."""
        return _remaining(await self.load_checkpoint(job_id), all_items, item_id_extractor)

    async def clear_checkpoint(self, job_id: Id) -> bool:
        return await self._control.send(_clear(job_id))

    def set_checkpoint_interval(self, interval: int) -> None:
        self._interval = max(1, interval)

    async def close(self) -> None:
        await self._control.close()

    async def __aenter__(self) -> "CheckpointManager":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class SyncCheckpointManager:
    """The same without asyncio, for Celery tasks."""

    def __init__(self, settings: Settings = Settings()) -> None:
        self._control = SyncControl(settings)
        self._interval: Optional[int] = None

    def save_checkpoint(
        self,
        job_id: Id,
        stage: Stage,
        completed_items: int,
        total_items: int,
        item_ids: Sequence[Id],
        metadata: Optional[Dict[str, Any]] = None,
        attempt: Optional[int] = None,
    ) -> bool:
        return self._control.send(_save(job_id, stage, completed_items, total_items, item_ids, metadata, attempt))

    def append_items(
        self,
        job_id: Id,
        stage: Stage,
        item_ids: Iterable[Id],
        total_items: Optional[int] = None,
        metadata: Optional[Dict[str, Any]] = None,
        attempt: Optional[int] = None,
    ) -> bool:
        return self._control.send(_append(job_id, stage, item_ids, total_items, metadata, attempt))

    def load_checkpoint(self, job_id: Id, stage: Optional[Stage] = None) -> Optional[CheckpointData]:
        return self._control.send(_load(job_id, stage))

    def should_save_checkpoint(self, completed_items: int, total_items: int) -> bool:
        return self._control.send(_due(completed_items, total_items, self._interval))

    def get_remaining_items(
        self, job_id: Id, all_items: Sequence[T], item_id_extractor: Callable[[T], Any] = str
    ) -> List[T]:
        return _remaining(self.load_checkpoint(job_id), all_items, item_id_extractor)

    def clear_checkpoint(self, job_id: Id) -> bool:
        return self._control.send(_clear(job_id))

    def set_checkpoint_interval(self, interval: int) -> None:
        self._interval = max(1, interval)

    def close(self) -> None:
        self._control.close()

    def __enter__(self) -> "SyncCheckpointManager":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_manager: Optional[CheckpointManager] = None
_sync_manager: Optional[SyncCheckpointManager] = None


def get_checkpoint_manager(redis_store: Any = None) -> CheckpointManager:
    """The one manager of this process, with the settings of the environment. redis_store, which make-video's own takes,
    is not needed: the sidecar knows where it keeps things."""
    global _manager
    if _manager is None:
        _manager = CheckpointManager()
    return _manager


def get_sync_checkpoint_manager() -> SyncCheckpointManager:
    """The same for code without asyncio."""
    global _sync_manager
    if _sync_manager is None:
        _sync_manager = SyncCheckpointManager()
    return _sync_manager
