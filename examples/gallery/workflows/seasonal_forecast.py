"""A forecast of many series at once. It has no label: it looks ahead from the past, and measures itself."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from railyard import Workflow, field


@dataclass
class Params:
    value: str = field(description="the column to forecast")
    series: str = field(description="the column that says which series a row belongs to")
    date: str = field("date", description="the column that says which day a row is about")
    season: int = field(7, ge=1, le=366, description="days after which the pattern repeats")
    level_memory: float = field(0.1, gt=0, le=1, description="weight of the newest day in the level")
    season_memory: float = field(0.1, gt=0, le=1, description="weight of the newest day in its place of the season")


class SeasonalForecast(Workflow[Params]):
    """Daily values of many series: a smoothed level and a pattern that repeats. A day without a row says nothing."""

    def train(self, training, holdout):
        params = self.params
        rows = training.assign(day=days(training[params.date]))
        table = rows.pivot_table(index="day", columns=params.series, values=params.value, aggfunc="sum")
        first, last = int(table.index.min()), int(table.index.max())
        values = table.reindex(range(first, last + 1)).to_numpy()  # (days, series), NaN without a row
        if len(values) < 2 * params.season:
            raise ValueError(f"two seasons are {2 * params.season} days; the training rows span {len(values)}")

        level = np.nanmean(values, axis=0)
        season = np.zeros((params.season, values.shape[1]))
        error = total = 0.0
        for day, value in enumerate(values):
            place = day % params.season
            missed = np.nan_to_num(value - level - season[place])
            level = level + params.level_memory * missed
            season[place] += params.season_memory * (1 - params.level_memory) * missed
            error, total = error + np.abs(missed).sum(), total + np.nansum(np.abs(value))
            if place == params.season - 1 and total:
                self.context.log_metric("one_day_ahead_wape", error / total, step=day)
                error = total = 0.0
        return Forecast([str(name) for name in table.columns], first, level, season)

    def score(self, model, df):
        return model.at(df[self.params.series], days(df[self.params.date]))

    def evaluate(self, df, scores):
        known = ~np.isnan(scores)
        if not known.any():
            return {"known_share": 0.0}
        value, forecast = df[self.params.value].to_numpy(float)[known], scores[known]
        error = np.abs(value - forecast)
        return {
            "wape": float(error.sum() / np.abs(value).sum()),
            "mae": float(error.mean()),
            "bias": float((forecast - value).mean()),
            "known_share": float(known.mean()),
        }

    def serialize(self, model, folder):
        content = {**vars(model), "level": model.level.tolist(), "season": model.season.tolist()}
        (folder / "forecast.json").write_text(json.dumps(content))

    def deserialize(self, folder):
        content = json.loads((folder / "forecast.json").read_text())
        return Forecast(content["names"], content["first"], np.array(content["level"]), np.array(content["season"]))


class Forecast:
    """The state of every series at the end of the training: level (series,) and season (places, series)."""

    def __init__(self, names, first, level, season):
        self.names, self.first, self.level, self.season = names, first, level, season

    def at(self, names, day):
        """The forecast for each (series, day); NaN for a series that the training did not have."""
        place = pd.Index(self.names).get_indexer([str(name) for name in names])
        value = self.level[place] + self.season[(np.asarray(day) - self.first) % len(self.season), place]
        return np.where(place >= 0, np.maximum(value, 0.0), np.nan)


def days(dates):
    """Days since 1970 of a column of dates or timestamps."""
    return pd.to_datetime(dates).to_numpy("datetime64[D]").astype(int)
