"""Split labelled texts into parts, with every class in each of them."""

from __future__ import annotations

import numpy as np

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.data.text.config import TextConfig
from shared.data.text.grouping import draw_part, group_copies
from shared.data.text.labelled import LabelledTexts, format_names

TEST_SEED = 20_260  # the test part is the same for every seed of a run
LEAST = 3  # different texts of a class: one for each part


def check_classes(
    texts: LabelledTexts, classes: tuple[str, ...], apart: LabelledTexts | None
) -> None:
    """Refuse labels that are no classes.

    Args:
        texts: Of training and validation, and of the test if that is not apart.
        classes: Of these texts.
        apart: The test part that is apart, if any.

    Raises:
        UserError: With the labels and how to fix it.
    """
    if len(classes) < 2:
        raise UserError(
            f"{texts.path}: all texts have the label {shorten(classes[0])!r}; a second "
            "class is needed."
        )
    if len(classes) > len(texts.labels) / 2:
        raise UserError(
            f"{texts.path}: {len(classes):,} different labels for "
            f"{len(texts.labels):,} texts; name the column with the classes by --label."
        )
    if apart is None:
        return
    unknown = sorted(set(apart.labels) - set(classes))
    if unknown:
        raise UserError(
            f"{apart.path}: has labels that the training texts lack: "
            f"{format_names(unknown)}; they have {format_names(classes)}."
        )


def split_texts(
    config: TextConfig,
    texts: LabelledTexts,
    apart: LabelledTexts | None,
    classes: tuple[str, ...],
    seed: int,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the rows of each part, and the class of every text.

    The rows count the texts, then those of the test part that is apart. What is found
    is added to the remarks of the texts.

    Raises:
        UserError: If a class has too few different texts.
    """
    number = {name: k for k, name in enumerate(classes)}
    every = texts.texts + (apart.texts if apart else [])
    names = texts.labels + (apart.labels if apart else [])
    labels = np.array([number[name] for name in names])
    groups = group_copies(every)
    count = len(texts.texts)
    _tell_copies(texts, groups, labels)
    if apart is not None:
        is_test = np.arange(len(every)) >= count
        copied = ~is_test & np.isin(groups, groups[count:])
        if copied.any():
            texts.remarks.append(
                f"training texts that the test file has too: {copied.sum():,}, left out"
            )
        usable = ~is_test & ~copied
    else:
        _check_counts(texts, labels, groups, classes, LEAST)
        random = np.random.default_rng(TEST_SEED)
        is_test = draw_part(labels, groups, config.test_share, random)
        usable = ~is_test
    rest = np.flatnonzero(usable)
    kept = texts.keep([]) if not len(rest) else texts
    _check_counts(kept, labels[rest], groups[rest], classes, LEAST - 1)
    random = np.random.default_rng(seed)
    chooses = draw_part(labels[rest], groups[rest], config.validation_share, random)
    rows = {
        "train": rest[~chooses],
        "validation": rest[chooses],
        "test": np.flatnonzero(is_test),
    }
    return rows, labels


def _tell_copies(texts: LabelledTexts, groups: np.ndarray, labels: np.ndarray) -> None:
    copies = len(groups) - len(np.unique(groups))
    if not copies:
        return
    order = np.lexsort([labels, groups])
    same = np.diff(groups[order]) == 0
    clash = np.unique(groups[order][1:][same & (np.diff(labels[order]) != 0)])
    sentence = (
        f"copies of other texts (case, spaces and punctuation aside): {copies:,}; "
        "all copies of a text are in one part"
    )
    if len(clash):
        sentence += f"; texts with several labels: {len(clash):,}"
    texts.remarks.append(sentence)


def _check_counts(
    texts: LabelledTexts,
    labels: np.ndarray,
    groups: np.ndarray,
    classes: tuple[str, ...],
    least: int,
) -> None:
    """Refuse a class without a text for each part."""
    for k, name in enumerate(classes):
        count = len(np.unique(groups[labels == k]))
        if count < least:
            raise UserError(
                f"{texts.path}: class {shorten(name)!r} has {count} different texts; "
                f"it needs {least}, one for each part. Add texts, or leave the class "
                "out."
            )
