"""make-video's timeout manager, computed by the sidecar from its proxy.yaml."""

from dataclasses import dataclass
from typing import Callable, Optional

import httpx

from .control import AsyncControl, Call, Settings, SyncControl

BASE_S = 60.0
DOWNLOAD_PER_SHORT_S = 4.0
VALIDATION_PER_SHORT_S = 2.0
BUILD_PER_AUDIO_S = 1.5
PORTRAIT_FACTOR = 1.5
LEAST_S, MOST_S = 30.0, 3600.0


@dataclass(frozen=True)
class Timeouts:
    """Of a job's stages, each in whole seconds."""

    download: int
    validation: int
    build: int
    total: int


Formula = Callable[[int, float, str], Timeouts]


def make_video_formula(shorts_count: int, audio_duration: float, aspect_ratio: str) -> Timeouts:
    """What make-video itself computed: it stands in while the sidecar is away. The total is that of the unclamped parts."""
    factor = PORTRAIT_FACTOR if aspect_ratio == "9:16" else 1.0
    download = (BASE_S + DOWNLOAD_PER_SHORT_S * shorts_count) * factor
    validation = VALIDATION_PER_SHORT_S * shorts_count
    build = (BASE_S + BUILD_PER_AUDIO_S * audio_duration) * factor

    def whole(seconds: float) -> int:
        return int(min(max(seconds, LEAST_S), MOST_S))

    return Timeouts(whole(download), whole(validation), whole(build), whole(download + validation + build))


def _read(response: httpx.Response) -> Timeouts:
    seconds = response.json()["timeouts"]
    return Timeouts(seconds["download"], seconds["validation"], seconds["build"], seconds["total"])


class TimeoutManager:
    """Asks the sidecar. formula stands in while the sidecar is away."""

    def __init__(
        self, settings: Settings = Settings(), formula: Formula = make_video_formula
    ) -> None:
        self._sync = SyncControl(settings)
        self._async = AsyncControl(settings)
        self._formula = formula

    def calculate_timeouts(
        self, shorts_count: int, audio_duration: float, aspect_ratio: str = "16:9"
    ) -> Timeouts:
        """audio_duration: seconds. Refused when a value is not acceptable to the sidecar."""
        return self._sync.send(self._call(shorts_count, audio_duration, aspect_ratio))

    async def calculate_timeouts_async(
        self, shorts_count: int, audio_duration: float, aspect_ratio: str = "16:9"
    ) -> Timeouts:
        """The same without holding up the event loop."""
        return await self._async.send(self._call(shorts_count, audio_duration, aspect_ratio))

    def close(self) -> None:
        """Of what calculate_timeouts opened."""
        self._sync.close()

    async def aclose(self) -> None:
        """Of what either way of asking opened."""
        self._sync.close()
        await self._async.close()

    def __enter__(self) -> "TimeoutManager":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> "TimeoutManager":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _call(self, shorts_count: int, audio_duration: float, aspect_ratio: str) -> "Call[Timeouts]":
        params = {"shorts_count": shorts_count, "audio_duration": audio_duration, "aspect_ratio": aspect_ratio}
        return Call(
            "GET",
            "/v1/timeouts",
            _read,
            lambda: self._formula(shorts_count, audio_duration, aspect_ratio),
            params=params,
        )


_manager: Optional[TimeoutManager] = None


def get_timeout_manager() -> TimeoutManager:
    """The one manager of this process, with the settings of the environment."""
    global _manager
    if _manager is None:
        _manager = TimeoutManager()
    return _manager
