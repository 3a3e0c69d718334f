"""Short texts to topics: counts of words and of letter groups, weighed by rarity, and a linear model."""

from dataclasses import dataclass

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from railyard import Workflow, field


@dataclass
class Params:
    C: float = field(1.0, gt=0, description="how closely to follow the training rows")
    letters: int = field(4, ge=2, le=8, description="longest group of letters")
    min_rows: int = field(1, ge=1, description="leave out words that fewer rows hold")


class TextTopics(Workflow[Params]):
    """The topic of a short text. The one feature is the text; the label names the topic."""

    def train(self, training, holdout):
        params = self.params
        model = make_pipeline(
            make_union(
                TfidfVectorizer(ngram_range=(1, 2), min_df=params.min_rows, sublinear_tf=True),
                TfidfVectorizer(
                    analyzer="char_wb", ngram_range=(2, params.letters), min_df=params.min_rows, sublinear_tf=True
                ),
            ),
            LinearSVC(C=params.C, random_state=self.context.seed),
        )
        return model.fit(self.texts(training), training[self.label])

    def score(self, model, df):
        return model.decision_function(self.texts(df))

    def texts(self, df):
        """The text column; a missing text is an empty one."""
        if len(self.features) != 1:
            raise ValueError(f"expected one text column in classifier_features, got {list(self.features)}")
        return df[self.features[0]].fillna("")
