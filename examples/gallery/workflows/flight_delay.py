"""Derives its label and some features in Polars, and uses only what is known before departure."""

from dataclasses import dataclass

import polars as pl
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from railyard import Workflow, field

WORDS = ["carrier", "origin", "dest"]


@dataclass
class Params:
    late_minutes: int = field(15, ge=0, description="a flight that arrives more than this many minutes late is late")
    learning_rate: float = field(0.05, gt=0, le=1)
    rounds: int = field(100, ge=1, le=10_000)


class FlightDelay(Workflow[Params]):
    """Chance that a flight arrives late, from its plan alone: carrier, route, distance, hour and day of the week."""

    data_format = "polars"
    derives = ("late", "minute_of_day", "weekday")

    def preprocess(self, df):
        planned = pl.col("sched_dep_time").cast(pl.Int32)  # HHMM
        return df.with_columns(
            late=pl.col("arr_delay") > self.params.late_minutes,
            minute_of_day=planned // 100 * 60 + planned % 100,
            weekday=pl.col("date").dt.weekday(),
        )

    def train(self, training, holdout):
        words = [name for name in WORDS if name in self.features]
        # A carrier or an airport that the training never saw becomes NaN, which these trees send the better way.
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
        model = make_pipeline(
            make_column_transformer((encoder, words), remainder="passthrough"),
            HistGradientBoostingClassifier(
                learning_rate=self.params.learning_rate,
                max_iter=self.params.rounds,
                max_features=0.5,
                min_samples_leaf=200,
                categorical_features=range(len(words)),  # the transformer puts the words first
                early_stopping=False,
                random_state=self.context.seed,
            ),
        )
        return model.fit(training.select(self.features), training[self.label])
