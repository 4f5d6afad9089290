"""The same network in PyTorch: padded, or packed to the true lengths.

Takes a .npz of padded reviews and labels, `padded` or `packed`, and the number of
epochs. Prints a line of JSON with the seconds of each epoch with its validation.
"""

import json
import resource
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

BATCH = 128


class Network(nn.Module):
    """Embedding 32, GRU 32, one output."""

    def __init__(self, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.words = nn.Embedding(10_000, 32)
        self.gru = nn.GRU(32, 32, batch_first=True)
        self.positive = nn.Linear(32, 1)

    def forward(self, ids):
        """Return a logit per review; packed reviews are padded on the right."""
        words = self.words(ids)
        if self.packed:
            lengths = (ids > 0).sum(1).cpu()
            words = pack_padded_sequence(
                words, lengths, batch_first=True, enforce_sorted=False
            )
        return self.positive(self.gru(words)[1][-1])[:, 0]


def main() -> None:
    data = np.load(sys.argv[1])
    packed, epochs = sys.argv[2] == "packed", int(sys.argv[3])
    torch.manual_seed(0)
    parts = {}
    for part in ("train", "val"):
        ids = data[f"x_{part}"]
        if packed:  # moves the padding from the left to the right
            ids = np.stack([np.roll(row, -int((row == 0).sum())) for row in ids])
        parts[part] = (torch.tensor(ids).long(), torch.tensor(data[f"y_{part}"]))
    model = Network(packed)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.001, alpha=0.9)
    loss_of = nn.BCEWithLogitsLoss()
    seconds = []
    for epoch in range(epochs):
        started = time.perf_counter()
        ids, labels = parts["train"]
        total = 0.0
        for rows in torch.randperm(len(ids)).split(BATCH):
            optimizer.zero_grad()
            loss = loss_of(model(ids[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(rows)
        with torch.no_grad():
            ids, labels = parts["val"]
            right = sum(
                int(((model(ids[rows]) > 0) == (labels[rows] > 0)).sum())
                for rows in torch.arange(len(ids)).split(BATCH)
            )
        seconds.append(time.perf_counter() - started)
        print(epoch, total / len(parts["train"][0]), right / len(ids), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"epochs": seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main()
