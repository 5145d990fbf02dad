"""Published figures, against numbers read in the papers."""

from typing import Any

import pytest

from panglot.errors import PanglotError
from panglot.report.figures import SOURCES, reference_for

XQUAD = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"]


def described(name: str = "xquad-r", **changes: Any) -> dict[str, Any]:
    return {"name": name, "languages": XQUAD, "candidate_text": "sentence", **changes}


def test_xquad_r() -> None:
    found = reference_for(described())
    values = found.set_index(["model", "setting", "measure"])["value"]
    hybrid = values["XLM-R, hybrid batches"]
    assert hybrid.to_dict() == {
        **{("monolingual", "AP"): 0.7977, ("crosslingual", "AP"): 0.7053, ("multilingual", "AP"): 0.5927},
        ("multilingual", "rank_distance"): 286.6,
    }
    assert values["LaBSE, monolingual batches", "multilingual", "rank_distance"] == 261.5
    assert values["mBERT, X-Y"].to_dict() == {("multilingual", "AP"): 0.66}
    sources = found.drop_duplicates("model").set_index("model")["source"].map(SOURCES)
    assert "arXiv 2408.10536" in sources["XLM-R, hybrid batches"]
    assert "arXiv 2004.05484" in sources["mBERT, X-Y"]


def test_mlqa_r_has_its_own_figures() -> None:
    figures = reference_for(described("mlqa-r", languages=["zh", "ar", "de", "en", "es", "hi", "vi"]))
    distances = figures[figures["measure"] == "rank_distance"]["value"]
    assert distances.tolist() == [287.5, 226.7, 227.1, 225.3, 198.3, 195.0]


@pytest.mark.parametrize(
    ("benchmark", "sentence"),
    [
        (described("sample"), "has no figures on 'sample'"),
        (described(languages=["en", "de"]), "cover all its languages"),
        (described(candidate_text="sentence+context"), "ranks sentences"),
    ],
)
def test_figures_that_cannot_stand_beside_each_other(benchmark: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PanglotError, match=sentence):
        reference_for(benchmark)
