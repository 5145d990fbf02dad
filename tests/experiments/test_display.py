"""What experiments show alike."""

import pandas as pd

from panglot.experiments.display import as_differences


def test_the_difference_of_a_baseline_to_itself_is_0() -> None:
    nan = float("nan")
    found = pd.DataFrame({"value": [1.0, 2.0], "difference": [nan, 0.125]}).assign(
        difference_low=[nan, -20.0], difference_high=[nan, 0.25]
    )
    assert as_differences(found)["value"].tolist() == [0, 0.125]
    assert as_differences(found)["low"].tolist() == [0, -20]
