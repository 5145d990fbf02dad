"""Published figures, against numbers read in the papers."""

from typing import Any

import pytest

from panglot.errors import PanglotError
from panglot.report.reference import reference_for

XQUAD = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"]


def described(name: str = "xquad-r", **changes: Any) -> dict[str, Any]:
    return {"name": name, "languages": XQUAD, "candidate_text": "sentence", **changes}


def test_xquad_r() -> None:
    found = reference_for(described())
    rows = {row.model: row for row in found.rows}
    hybrid = rows["XLM-R, hybrid batches"]
    assert hybrid.settings == {"monolingual": 0.7977, "crosslingual": 0.7053, "multilingual": 0.5927}
    assert hybrid.rank_distance == 286.6
    assert rows["LaBSE, monolingual batches"].rank_distance == 261.5
    assert rows["mBERT, X-Y"].settings == {"multilingual": 0.66}
    assert "arXiv 2408.10536" in found.sources[hybrid.source]
    assert "arXiv 2004.05484" in found.sources[rows["mBERT, X-Y"].source]


def test_mlqa_r_has_its_own_figures() -> None:
    found = reference_for(described("mlqa-r", languages=["zh", "ar", "de", "en", "es", "hi", "vi"]))
    assert [row.rank_distance for row in found.rows] == [287.5, 226.7, 227.1, 225.3, 198.3, 195.0]


@pytest.mark.parametrize(
    ("benchmark", "sentence"),
    [
        (described("sample"), "has no figures on 'sample'"),
        (described(languages=["en", "de"]), "are of all its languages"),
        (described(candidate_text="sentence+context"), "ranks sentences"),
    ],
)
def test_figures_that_cannot_stand_beside_each_other(benchmark: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PanglotError, match=sentence):
        reference_for(benchmark)
