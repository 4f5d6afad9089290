"""Groups of runs for pictures, without any folder."""

from pathlib import Path

from shared.core.errors import format_value
from shared.runs.groups import Group
from shared.runs.reader import Run

ACCURACY = {"metric": "accuracy", "higher_is_better": True, "is_share": True}


def make_baseline(name, value, best=False):
    """Return a baseline with one accuracy on both parts."""
    scores = {"accuracy": value}
    parts = {"validation": scores, "test": scores}
    return {"name": name, "is_best_achievable": best, **parts}


def make_group(recipe, curves, tests=None, data="imdb", baselines=(), **more):
    """Return a group with a run for each curve of validation accuracies.

    Args:
        recipe: Name of the recipe.
        curves: Validation accuracies of each seed, epoch by epoch.
        tests: Test accuracy of each seed; the default is the last one on validation.
        data: Name of the data set.
        baselines: Rows of baselines.
        more: `seconds` and `parameters`; all others are changed flags.
    """
    costs = {"seconds": more.pop("seconds", 60.0), "peak_memory_mb": 900.0}
    costs["parameters"] = more.pop("parameters", 1000)
    given = more.pop("roles", {})
    roles = dict.fromkeys(more, "training") | given
    runs = []
    for seed, curve in enumerate(curves):
        test = (tests or [c[-1] for c in curves])[seed]
        best = max(curve)
        runs.append(
            Run(
                Path(f"{recipe}-{seed}"),
                {"changed": more, "settings": more, "roles": roles, "device": {}},
                {
                    "recipe": recipe, "data": data, "seed": seed, **costs,
                    "task": {"score": ACCURACY}, "baselines": list(baselines),
                    "best": {"epoch": curve.index(best) + 1, "val_accuracy": best},
                    "test": {"best": {"test_accuracy": test}},
                },
                {
                    "epoch": [float(k) for k in range(1, len(curve) + 1)],
                    "accuracy": list(curve), "val_accuracy": list(curve),
                    "seconds": [9.0] + [2.0] * (len(curve) - 1),
                },
                "finished",
            )
        )  # fmt: skip
    named = {k: v for k, v in more.items() if roles[k] != "computation"}
    flags = [format_value(*item) for item in named.items()]
    return Group(" ".join([recipe, *flags]), data, runs)


def read_legend(figure):
    """Return all texts of the legends of a figure, titles first."""
    parts = [figure, *figure.subfigs, *figure.axes]
    legends = [legend for part in parts for legend in getattr(part, "legends", [])]
    legends += [k for axis in figure.axes if (k := axis.get_legend()) is not None]
    titles = [legend.get_title().get_text() for legend in legends]
    entries = [text.get_text() for k in legends for text in k.get_texts()]
    return "\n".join(titles), [entry.replace("\n", " ") for entry in entries]
