"""Sprig's functions of dates, with Go's layouts: the reference time in the form that is wanted."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from harness.template.functions.table import Call, function

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.template.session import Session

_NOW = Call("now", ())


def _offset(colon: str, utc: str = "") -> Callable[[datetime], str]:
    def write(time: datetime) -> str:
        minutes = int((time.utcoffset() or timedelta()).total_seconds()) // 60
        if utc and not minutes:
            return utc
        return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{colon}{abs(minutes) % 60:02}"

    return write


# The longest first: `January` before `Jan`, `2006` before `2`.
_LAYOUT: dict[str, Callable[[datetime], str]] = {
    "January": lambda time: f"{time:%B}",
    "Monday": lambda time: f"{time:%A}",
    "Z07:00": _offset(":", "Z"),
    "-07:00": _offset(":"),
    "-0700": _offset(""),
    "2006": lambda time: f"{time:%Y}",
    ".000000": lambda time: f".{time:%f}",
    ".000": lambda time: f".{time.microsecond // 1000:03}",
    "Jan": lambda time: f"{time:%b}",
    "Mon": lambda time: f"{time:%a}",
    "MST": lambda time: f"{time:%Z}",
    "01": lambda time: f"{time:%m}",
    "02": lambda time: f"{time:%d}",
    "03": lambda time: f"{time:%I}",
    "04": lambda time: f"{time:%M}",
    "05": lambda time: f"{time:%S}",
    "06": lambda time: f"{time:%y}",
    "15": lambda time: f"{time:%H}",
    "PM": lambda time: f"{time:%p}",
    "pm": lambda time: f"{time:%p}".lower(),
    "_2": lambda time: f"{time.day:2}",
    "1": lambda time: str(time.month),
    "2": lambda time: str(time.day),
    "3": lambda time: str(time.hour % 12 or 12),
    "4": lambda time: str(time.minute),
    "5": lambda time: str(time.second),
}
_WORDS = re.compile("|".join(map(re.escape, _LAYOUT)))
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


def _moment(session: Session, value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    now = session.world.now()
    if isinstance(value, int) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, now.tzinfo)
    return now


def _in_zone(time: datetime, zone: str) -> datetime:
    if zone in {"", "UTC", "Local"}:
        return time.astimezone(UTC) if zone != "Local" else time
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only those who ask pay for it

    try:
        return time.astimezone(ZoneInfo(zone))
    except (OSError, LookupError, ValueError):
        # Sprig takes what it does not know for UTC; a typing error deserves a word.
        raise ValueError(f"there is no time zone `{zone}`") from None


@function("now", "The time.", (), "2017-11-22 10:00:00+00:00")
def _now(session: Session) -> datetime:
    return session.world.now()


@function("date", "A time in a layout of Go's.", ("2006-01-02 15:04", _NOW), "2017-11-22 10:00")
def _date(session: Session, layout: str, time: object) -> str:
    return _date_in_zone(session, layout, time, "Local")


@function(
    "dateInZone date_in_zone",
    "A time in a layout and a zone.",
    ("Jan _2 3PM MST", _NOW, "Asia/Tokyo"),
    "Nov 22 7PM JST",
)
def _date_in_zone(session: Session, layout: str, time: object, zone: str) -> str:
    moment = _in_zone(_moment(session, time), zone)
    return _WORDS.sub(lambda found: _LAYOUT[found.group()](moment), layout)


@function(
    "dateModify date_modify",
    "A time moved on or back.",
    ("-1h30m", _NOW),
    "2017-11-22 08:30:00+00:00",
)
def _date_modify(session: Session, duration: str, time: object) -> datetime:
    sign, rest = (-1, duration[1:]) if duration.startswith("-") else (1, duration.removeprefix("+"))
    if not rest or _DURATION.sub("", rest):
        raise ValueError(f"`{duration}` is no duration such as 1h30m")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(rest))
    return _moment(session, time) + timedelta(seconds=sign * seconds)


@function("htmlDate", "A time's date, for an input of a form.", (_NOW,), "2017-11-22")
def _html_date(session: Session, time: object) -> str:
    return _date_in_zone(session, "2006-01-02", time, "Local")


@function("htmlDateInZone", "A time's date in a zone.", (_NOW, "Pacific/Auckland"), "2017-11-22")
def _html_date_in_zone(session: Session, time: object, zone: str) -> str:
    return _date_in_zone(session, "2006-01-02", time, zone)
