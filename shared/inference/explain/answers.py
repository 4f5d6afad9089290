"""The answers of `make explain`: printed, and as files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.core.errors import UserError
from shared.core.files import to_csv
from shared.runs.reader import Run

if TYPE_CHECKING:
    import numpy as np

    from shared.data.splits import Splits
    from shared.inference.explain.__main__ import Options
    from shared.inference.explain.forecast_page import Steps


@dataclass
class Question:
    """What is explained.

    Attributes:
        run: Finished.
        options: The flags.
        text: The text; None if a test example is explained.
    """

    run: Run
    options: Options
    text: str | None

    @property
    def title(self) -> str:
        """Of the picture and the page."""
        return f"{self.run.recipe} on {self.run.data}"

    @cached_property
    def data(self) -> Splits:
        """The data of the run, built again at the first use."""
        from shared.inference.rebuild import rebuild_run

        return rebuild_run(self.run, self.options.data_dir).data

    def choose_example(self, count: int) -> int:
        """Return the number of the test example.

        Raises:
            UserError: If there is no such example.
        """
        number = self.options.example
        if number is None:
            return count - 1
        if not 0 <= number < count:
            raise UserError(
                f"--example {number}: the test part has the examples 0 to {count - 1}."
            )
        return number


def explain_text(question: Question) -> dict[str, Any]:
    """Return the files of the explanation of a text, and print it."""
    from shared.inference.explain.page import describe_text, render_page
    from shared.inference.explain.text_remarks import list_remarks, remark_on_model
    from shared.inference.explain.texts import TextExplainer, take_tokens, tokenize
    from shared.inference.load_model import load_model
    from shared.inference.text_run import read_text_reader
    from shared.plots.explanation_figure import draw_text_explanation

    reader = read_text_reader(question.run)
    if question.text is None:
        inputs = question.data.test.inputs
        text = take_tokens(reader, inputs[question.choose_example(len(inputs))])
    else:
        text = tokenize(reader, question.text)
    model = load_model(question.run.path, restore=False)
    classes = tuple(question.run.task.classes)
    explainer = TextExplainer(model, reader.facts.padding, classes)
    found = explainer.explain(text)
    remarks = list_remarks(text, reader) + remark_on_model(model)
    remarks.append(_check_by_deletion(question, explainer, reader.facts.padding))
    rows = found.to_rows()
    print("\n".join([found.answer, *remarks]))
    _print_rows(rows)
    gates = {} if found.gates is None else found.gates.means
    figure = draw_text_explanation(
        text.words, found.after, classes, found.chosen, found.attribution.integrated,
        gates, f"{question.title}: {found.answer}",
    )  # fmt: skip
    content = describe_text(found, reader.facts.tokens == "words", remarks)
    return {
        "explanation.csv": to_csv(rows),
        "explanation.png": figure,
        "explanation.html": render_page(question.title, content),
    }


def _check_by_deletion(question: Question, explainer: Any, padding: str) -> str:
    """Return the deletion check on test texts, in sentences."""
    import numpy as np

    from shared.inference.explain.deletion import check_by_deletion

    if not question.options.checked:
        return "The deletion check was not made (--checked 0)."
    try:
        texts = question.data.test.inputs
    except UserError as error:
        return f"The deletion check was not made, since the data are missing: {error}"
    count = min(question.options.checked, len(texts))
    rows = np.random.default_rng(0).choice(len(texts), count, replace=False)
    return check_by_deletion(explainer, texts[np.sort(rows)], padding).describe()


def explain_writer(question: Question) -> dict[str, Any]:
    """Return the files of the explanation of a writer's text, and print it."""
    from shared.inference.explain.page import describe_writing, render_page
    from shared.inference.explain.writer_texts import (
        prepare_writing,
        read_writer_gates,
    )
    from shared.inference.explain.writers import explain_writing as read_writing
    from shared.inference.explain.writers import show_token
    from shared.plots.explanation_figure import draw_writer_explanation

    writer, ids, first, remarks = prepare_writing(question)
    found = read_writing(writer, ids, first)
    gates = read_writer_gates(question.run, ids, first)
    found = replace(found, gates=gates)
    rows = found.to_rows()
    print("\n".join([found.describe(), *remarks]))
    surprising = sorted(rows, key=lambda row: -row["bits"])[:5]
    named = ", ".join(
        f"{row['token']} ({row['bits']:.1f} bits, number {row['number']})"
        for row in surprising
    )
    print(f"  least expected: {named}")
    title = f"{question.title}: {found.bits.mean():.2f} bits per {found.unit[:-1]}"
    figure = draw_writer_explanation(
        [show_token(token) for token in found.tokens],
        found.chances,
        [list(map(show_token, names)) for names in found.likeliest],
        found.their_chances,
        {} if gates is None else gates.means,
        title,
    )
    page = render_page(question.title, describe_writing(found, remarks))
    return {
        "explanation.csv": to_csv(rows),
        "explanation.png": figure,
        "explanation.html": page,
    }


def explain_window(question: Question) -> dict[str, Any]:
    """Return the files of the explanation of a forecast, and print it."""
    from shared.inference.explain.forecast_page import describe_steps
    from shared.inference.explain.page import render_page
    from shared.inference.explain.windows import explain_window as attribute
    from shared.inference.explain.windows import find_middle
    from shared.inference.export.interface import describe, take_inputs
    from shared.inference.load_model import load_model
    from shared.plots.explanation_figure import draw_window_explanation

    run, data = question.run, question.data
    number = question.choose_example(len(data.test))
    model = load_model(run.path, restore=False)
    facts = describe(run, data, model)
    features = facts.inputs[0]["features"]
    columns = [one["column"] for one in features]
    batch = take_inputs(data.test, slice(number, number + 1))
    shape = getattr(data, "output_shape", (1,))
    middle = find_middle(facts.output.get("quantiles", ()))
    found = attribute(model, [one[0] for one in batch], columns, shape[0], middle)
    title = f"{question.title}, test window {number}"
    figure = draw_window_explanation(found.by_step, columns, found.ahead, title)
    rows = found.to_rows()
    strongest = max(rows, key=lambda row: abs(row["integrated_gradients"]))
    answer = (
        f"Test window {number}: the forecast leans most on {strongest['column']} at "
        f"step {strongest['step']} (0 is the latest), "
        f"{strongest['integrated_gradients']:+.3g}."
    )
    print(answer)
    target = facts.output.get("targets", [run.settings.get("target")])[0]
    steps = _take_window(batch[0][0], features, target)
    content = describe_steps(steps, found, answer, [f"{title}."])
    return {
        "explanation.csv": to_csv(rows),
        "explanation.png": figure,
        "explanation.html": render_page(question.title, content),
    }


def _take_window(
    window: np.ndarray, features: list[dict[str, Any]], target: str
) -> Steps:
    """Return the steps of a window in the units of the table.

    Args:
        window: (steps, features), as the network reads it.
        features: Name, centre and scale of each column.
        target: Column that stands for the steps, if the network reads it.
    """
    import numpy as np

    from shared.inference.explain.forecast_page import Steps

    columns = {
        one["column"]: window[:, k].astype(float) * one["scale"] + one["centre"]
        for k, one in enumerate(features)
    }
    if target in columns:
        columns = {target: columns[target]} | columns
    labels = [f"step {k}" for k in range(1 - len(window), 1)]
    return Steps(labels, columns, np.ones(len(window), bool), {})


def _print_rows(rows: list[dict[str, Any]]) -> None:
    """Print the words that add most to the answer, and those against it."""
    ordered = sorted(rows, key=lambda row: row["integrated_gradients"])
    for name, sign, part in (
        ("for it", 1, ordered[::-1]),
        ("against it", -1, ordered),
    ):
        shown = [
            f"{row['word']} {row['integrated_gradients']:+.3f}"
            for row in part[:5]
            if sign * row["integrated_gradients"] > 0
        ]
        print(f"  {name}: {', '.join(shown) or 'no word'}")
