"""Fetching: official files from where their makers put them, resumed, checked and unpacked safely."""

from panglot.data.fetch.get import get_data

__all__ = ["get_data"]
