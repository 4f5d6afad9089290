"""A case computed by PyTorch's nn.RNN, nn.LSTM and nn.GRU."""

from __future__ import annotations

import numpy as np

from shared.studies.equivalence.cases import Case, Result
from shared.studies.equivalence.torch_weights import NAMES, from_torch, to_torch


def compute_with_torch(case: Case) -> Result:
    """Compute a case with PyTorch. Masked padding becomes a packed sequence.

    A packed sequence has its padding on the right, so left padding moves there first.
    """
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    kind = {"SimpleRNN": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}
    network = kind[case.cell](
        case.sizes.features,
        case.sizes.units,
        num_layers=2 if case.network == "stacked" else 1,
        bidirectional=case.network == "bidirectional",
        batch_first=True,
        dtype=getattr(torch, case.dtype),
    )
    endings = {"stacked": ("_l0", "_l1"), "bidirectional": ("_l0", "_l0_reverse")}
    endings = endings.get(case.network, ("_l0",))
    for weights, ending in zip(case.weights, endings, strict=True):
        for name, array in to_torch(case.cell, weights).items():
            getattr(network, name + ending).data[:] = torch.from_numpy(array)

    inputs = torch.tensor(case.inputs.astype(case.dtype), requires_grad=True)
    loss_weights = torch.tensor(case.loss_weights.astype(case.dtype))
    if case.padding == "none":
        outputs, _ = network(inputs)
    else:
        lengths, rows = torch.tensor(case.lengths), range(len(case.lengths))
        move = case.padding == "left"
        moves = [int(case.sizes.steps - n) if move else 0 for n in case.lengths]
        moved = torch.stack([inputs[k].roll(-moves[k], 0) for k in rows])
        packed = pack_padded_sequence(moved, lengths, True, enforce_sorted=False)
        padded, _ = pad_packed_sequence(network(packed)[0], True)
        outputs = torch.stack([padded[k].roll(moves[k], 0) for k in rows])
    (outputs * loss_weights).sum().backward()

    gradients = [inputs.grad.numpy()]
    for ending in endings:
        arrays = {n: getattr(network, n + ending).grad.numpy() for n in NAMES}
        gradients += from_torch(case.cell, arrays, gradients=True)
    return Result(np.asarray(outputs.detach()), gradients)
