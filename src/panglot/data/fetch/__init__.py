"""Fetching: official files from where their makers put them, resumed, checked and unpacked safely."""

from panglot.data.fetch.archives import unpack
from panglot.data.fetch.get import get_data
from panglot.data.fetch.web import Checks, download, verify

__all__ = ["Checks", "download", "get_data", "unpack", "verify"]
