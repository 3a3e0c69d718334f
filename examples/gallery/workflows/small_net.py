"""A small PyTorch network over numbers. PyTorch is imported where it is used, so that the file loads without it."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from railyard import Workflow, field


@dataclass
class Params:
    hidden: tuple[int, ...] = field((32, 16), description="width of each hidden layer")
    epochs: int = field(60, ge=1)
    batch: int = field(256, ge=1)
    learning_rate: float = field(0.01, gt=0)


class SmallNet(Workflow[Params]):
    """Probability of the label 1, by a network over numeric features; a gap counts as the mean."""

    def train(self, training, holdout):
        import torch

        torch.manual_seed(self.context.seed)
        numbers = training[self.features].to_numpy(np.float64, na_value=np.nan)
        spread = np.nanstd(numbers, axis=0)
        net = Net(
            np.nanmean(numbers, axis=0), np.where(spread > 0, spread, 1.0), [numbers.shape[1], *self.params.hidden, 1]
        )
        rows, label = net.inputs(numbers), torch.tensor(training[self.label].to_numpy(np.float32))
        optimizer = torch.optim.Adam(net.layers.parameters(), lr=self.params.learning_rate)
        loss_of = torch.nn.BCEWithLogitsLoss()
        for epoch in range(self.params.epochs):
            losses = []
            for chosen in torch.randperm(len(rows)).split(self.params.batch):
                optimizer.zero_grad()
                loss = loss_of(net.layers(rows[chosen])[:, 0], label[chosen])
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            self.context.log_metric("loss", np.mean(losses), step=epoch)
            self.context.progress((epoch + 1) / self.params.epochs)
        return net

    def score(self, model, df):
        return model.probability(df[self.features].to_numpy(np.float64, na_value=np.nan))

    def serialize(self, model, folder):
        import torch

        state = {"mean": model.mean.tolist(), "spread": model.spread.tolist(), "widths": model.widths}
        torch.save({**state, "weights": model.layers.state_dict()}, folder / "net.pt")

    def deserialize(self, folder):
        import torch

        state = torch.load(folder / "net.pt", weights_only=True)  # no code is run by loading
        net = Net(np.array(state["mean"]), np.array(state["spread"]), state["widths"])
        net.layers.load_state_dict(state["weights"])
        return net


class Net:
    """Fully connected layers of the given widths over inputs brought to mean 0 and spread 1."""

    def __init__(self, mean, spread, widths):
        import torch

        self.mean, self.spread, self.widths = mean, spread, widths
        layers = []
        for width, following in pairwise(widths):
            layers += [torch.nn.Linear(width, following), torch.nn.ReLU()]
        self.layers = torch.nn.Sequential(*layers[:-1])

    def inputs(self, numbers):
        import torch

        return torch.tensor(np.nan_to_num((numbers - self.mean) / self.spread), dtype=torch.float32)

    def probability(self, numbers):
        import torch

        with torch.inference_mode():
            return torch.sigmoid(self.layers(self.inputs(numbers))[:, 0]).numpy()
