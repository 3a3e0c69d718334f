"""LightGBM with early stopping on rows that it sets aside itself: the holdout stays unseen until the evaluation."""

from dataclasses import dataclass
from typing import Literal

import lightgbm
import numpy as np

from railyard import TrainResult, Workflow, field


@dataclass
class Params:
    objective: Literal["binary", "regression", "regression_l1", "poisson"] = "binary"
    learning_rate: float = field(0.05, gt=0, le=1)
    num_leaves: int = field(31, ge=2, le=10_000)
    min_data_in_leaf: int = field(20, ge=1)
    rounds: int = field(2_000, ge=1, description="number of trees, at most")
    patience: int = field(50, ge=1, description="stop after so many trees without a better loss")
    set_aside: float = field(0.15, gt=0, lt=0.5, description="share of the training rows that decide when to stop")


class BoostedTable(Workflow[Params]):
    """Gradient-boosted trees for any table with numbers, words and gaps; two classes or a number to predict."""

    def train(self, training, holdout):
        params = self.params
        rows, label = as_categories(training[self.features]), training[self.label].to_numpy()
        aside = np.random.default_rng(self.context.seed).random(len(rows)) < params.set_aside
        fit = lightgbm.Dataset(rows[~aside], label[~aside])
        model = lightgbm.train(
            {
                "objective": params.objective,
                "learning_rate": params.learning_rate,
                "num_leaves": params.num_leaves,
                "min_data_in_leaf": params.min_data_in_leaf,
                "seed": self.context.seed,
                "deterministic": True,
                "verbosity": -1,
            },
            fit,
            num_boost_round=params.rounds,
            valid_sets=[lightgbm.Dataset(rows[aside], label[aside], reference=fit)],
            valid_names=["set_aside"],
            callbacks=[lightgbm.early_stopping(params.patience, verbose=False), self.report],
        )
        gain = dict(zip(self.features, model.feature_importance("gain").tolist(), strict=True))
        return TrainResult(model, extra={"rounds": model.best_iteration, "gain": gain})

    def score(self, model, df):
        # The model remembers the words of each category; words that it does not know count as missing.
        return model.predict(as_categories(df[self.features]))

    def report(self, state):
        """LightGBM calls this after every tree."""
        if state.iteration % 10 == 0:
            for split, metric, value, *_ in state.evaluation_result_list:
                self.context.log_metric(f"{split}_{metric}", value, step=state.iteration)
            self.context.progress(state.iteration / state.end_iteration)


def as_categories(rows):
    """Text columns as pandas categories, which LightGBM splits by set of words."""
    return rows.astype(dict.fromkeys(rows.select_dtypes(exclude=["number", "bool"]), "category"))
