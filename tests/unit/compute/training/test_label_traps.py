"""Labels that would make a model worthless are refused or said."""

import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from railyard import Workflow
from railyard.errors import AttemptError
from railyard.testing import perform

ROWS = pl.DataFrame({"x": [float(n % 7) for n in range(200)], "y": [int(n % 7 > 3) for n in range(200)]})


class Fits(Workflow):
    def train(self, training, holdout):
        return LogisticRegression().fit(training[self.features], training[self.label])


def test_a_label_among_the_features_is_warned_of():
    done = perform(Fits, ROWS, features=["x", "y"], label="y")
    assert any("the label y is among the features" in warning for warning in done.manifest.warnings)
    fair = perform(Fits, ROWS, features=["x"], label="y")
    assert not any("among the features" in warning for warning in fair.manifest.warnings)


def test_a_date_is_no_label():
    dates = ROWS.with_columns(
        pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 7, 18), eager=True).cast(pl.Datetime).alias("y")
    )
    with pytest.raises(AttemptError, match="dates or durations") as caught:
        perform(Fits, dates, features=["x"], label="y")
    assert caught.value.report.code == "bad_label"
