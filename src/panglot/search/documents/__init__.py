"""Documents: read from files and folders, cut into passages, given a language."""

from panglot.search.documents.document import Document, Passage
from panglot.search.documents.read import read_documents
from panglot.search.documents.split import detect_languages, passages_of

__all__ = ["Document", "Passage", "detect_languages", "passages_of", "read_documents"]
