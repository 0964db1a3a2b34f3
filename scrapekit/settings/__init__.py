"""Settings: settings.yaml, ``Spider.settings`` and ``-s``, validated once into frozen structs.

``schema`` says what there is, ``rules`` what a value must be beyond its type, ``tree`` reads the three sources into one
shape, ``loading`` merges them and words the errors. docs/settings.md describes every key.
"""

from __future__ import annotations

from scrapekit.settings.loading import Loaded, flatten, load
from scrapekit.settings.rules import mask, path_template
from scrapekit.settings.schema import (
    ArchiveSettings,
    BackoffSettings,
    ClientCert,
    CrawlSettings,
    DomainAuth,
    DomainLimits,
    DomainOverride,
    ExportSettings,
    FailIf,
    FleetSettings,
    HttpSettings,
    LimitsSettings,
    LogSettings,
    OutputSettings,
    PartsSettings,
    RetrySettings,
    RobotsSettings,
    Settings,
    ThrottleSettings,
    TimeoutSettings,
    UiSettings,
)

__all__ = [
    "ArchiveSettings",
    "BackoffSettings",
    "ClientCert",
    "CrawlSettings",
    "DomainAuth",
    "DomainLimits",
    "DomainOverride",
    "ExportSettings",
    "FailIf",
    "FleetSettings",
    "HttpSettings",
    "LimitsSettings",
    "Loaded",
    "LogSettings",
    "OutputSettings",
    "PartsSettings",
    "RetrySettings",
    "RobotsSettings",
    "Settings",
    "ThrottleSettings",
    "TimeoutSettings",
    "UiSettings",
    "flatten",
    "load",
    "mask",
    "path_template",
]
