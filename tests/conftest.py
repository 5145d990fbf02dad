"""What several tests need: a cache of their own, the embedded encoder, and the folder of real data."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PANGLOT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="session")
def encoder() -> SentenceTransformer:
    """The embedded encoder as it comes; tests must leave its weights alone."""
    from panglot import load_encoder

    return load_encoder("use-multilingual", device="cpu")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets."""
    folder = os.environ.get("PANGLOT_TEST_DATA")
    if not folder:
        pytest.skip("PANGLOT_TEST_DATA names no folder of real data sets")
    return Path(folder)
