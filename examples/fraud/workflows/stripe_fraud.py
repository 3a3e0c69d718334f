"""The workflow that request.json5 names: the risk that a charge is fraudulent."""

import numpy as np
import pandas as pd
import xgboost

from railyard import Workflow


class StripeFraudModel(Workflow):
    """Risk that a charge is fraudulent, by gradient-boosted trees over its type, amount and country."""

    def train(self, training, holdout):
        words = vocabulary(training[self.features])
        splits = {"train": training} if holdout is None else {"train": training, "holdout": holdout}
        model = xgboost.XGBRegressor(
            **{"random_state": self.context.seed, "enable_categorical": True, **self.params},
            callbacks=[Report(self.context, list(splits), every=10)],
        )
        model.fit(
            encode(training[self.features], words),
            training[self.label].astype(float),
            eval_set=[
                (encode(split[self.features], words), split[self.label].astype(float)) for split in splits.values()
            ],
            verbose=False,
        )
        model.set_params(callbacks=None)  # they have done their work and are no part of the model
        return model

    def score(self, model, df):
        # XGBoost keeps the words it was trained on inside the model, so the saved model needs nothing beside it.
        known = model.get_booster().get_categories(export_to_arrow=True).to_arrow()
        words = {name: kept.to_pylist() for name, kept in known if kept is not None}
        return np.asarray(model.predict(encode(df[self.features], words)))


def vocabulary(rows):
    """The words of every text column, sorted."""
    return {name: sorted(rows[name].dropna().unique()) for name in rows.select_dtypes(exclude=["number", "bool"])}


def encode(rows, words):
    """Text columns as categories. Words that the training never saw become missing values, which trees can handle."""
    known = {name: rows[name].where(rows[name].isin(words[name])) for name in words}
    return rows.assign(**{name: pd.Categorical(known[name], categories=words[name]) for name in words})


class Report(xgboost.callback.TrainingCallback):
    """Shows the loss as a curve while the training runs."""

    def __init__(self, context, splits, every):
        super().__init__()
        self.context, self.splits, self.every = context, splits, every

    def after_iteration(self, model, epoch, evals_log):
        if epoch % self.every == 0:
            for split, losses in zip(self.splits, evals_log.values(), strict=True):
                for name, values in losses.items():
                    self.context.log_metric(f"{split}_{name}", values[-1], step=epoch)
        return False  # do not stop the training
