"""Pipelines that are ready to use: files and images that items name."""

from scrapekit.pipelines.files import FilesPipeline, ImagesPipeline
from scrapekit.pipelines.manifest import FileRecord, read_manifest

__all__ = ["FileRecord", "FilesPipeline", "ImagesPipeline", "read_manifest"]
