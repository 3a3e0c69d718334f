"""A scikit-learn pipeline over a table of numbers and words, with gaps in both."""

from dataclasses import dataclass

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from railyard import Workflow, field


@dataclass
class Params:
    learning_rate: float = field(0.06, gt=0, le=1, description="how much each tree corrects")
    rounds: int = field(300, ge=1, le=10_000, description="number of trees")
    leaves: int = field(31, ge=2, le=1_000, description="leaves of a tree, at most")


class AdultIncome(Workflow[Params]):
    """Whether a person earns more than $50,000 a year. Works on any table with a label of two or more classes."""

    def train(self, training, holdout):
        rows = training[self.features]
        words = make_column_selector(dtype_exclude="number")
        # A gap and a word that the training never saw both become NaN, which these trees send the better way.
        encoder = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=float("nan"),
            encoded_missing_value=float("nan"),
            max_categories=200,
        )
        model = make_pipeline(
            make_column_transformer((encoder, words), remainder="passthrough"),
            HistGradientBoostingClassifier(
                learning_rate=self.params.learning_rate,
                max_iter=self.params.rounds,
                max_leaf_nodes=self.params.leaves,
                categorical_features=range(len(words(rows))),  # the transformer puts the words first
                early_stopping=False,
                random_state=self.context.seed,
            ),
        )
        return model.fit(rows, training[self.label])
