"""The example beside an exported network: a short program without this project."""

from __future__ import annotations

from shared.inference.export.formats import FORMATS

START = '''"""Run the network of {recipe} on one example. See manifest.json."""

import json
{imports}from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
manifest = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
'''
READ = {
    "text": '''reading = manifest["inputs"][0]
words = json.loads((HERE / reading["vocabulary"]).read_text(encoding="utf-8"))
ids = {word: k for k, word in enumerate(words, reading["ids"]["first"])}


def read(text):
    """Return the ids of a text, int32, (1, length)."""
    if reading["normal_form"]:
        text = unicodedata.normalize(reading["normal_form"], text)
    text = text.lower().replace("<br />", " br ").strip()
SPLIT    row = [reading["ids"]["start"]]
    row += [ids.get(token, reading["ids"]["unknown"]) for token in tokens]
    length, kept = reading["length"], len(row)
    row = row[-length:] if reading["keep"] == "end" else row[:length]
    padding = [reading["ids"]["padding"]] * (length - kept)
    row = padding + row if reading["padding"] == "left" else row + padding
    return np.array([row], "int32")


text = sys.argv[1] if sys.argv[1:] else (HERE / "example.txt").read_text("utf-8")
inputs = [read(text)]
''',
    "tokens": """reading = manifest["inputs"][0]
tokens = json.loads((HERE / reading["vocabulary"]).read_text(encoding="utf-8"))
first = reading["ids"]["first"]
ids = {token: k for k, token in enumerate(tokens, first)}
text = json.loads((HERE / "example.json").read_text(encoding="utf-8"))
inputs = [np.array([[ids[token] for token in text]], "int32")]
""",
    "numbers": """inputs = []
for one in manifest["inputs"]:
    rows = np.loadtxt(HERE / one["example"], delimiter=",", skiprows=1, ndmin=2)
    centre = [feature["centre"] for feature in one["features"]]
    scale = [feature["scale"] for feature in one["features"]]
    shape = [1, *(size or len(rows) for size in one["shape"][1:])]
    inputs.append(((rows - centre) / scale).astype(one["dtype"]).reshape(shape))
""",
}
SPLITS = {
    None: '    tokens = re.findall(reading["pattern"], text)\n',
    "characters": ('    tokens = list(re.sub(r"\\s+", " ", text))\n'),
    "rjieba": (
        "    tokens = [token for token in rjieba.cut(text) if not token.isspace()]\n"
    ),
}
END = {
    "text": """shares = outputs[0]
if len(shares) == 1:  # the probability of the second class
    shares = np.array([1 - shares[0], shares[0]])
for name, share in zip(manifest["output"]["classes"], shares):
    print(f"{name}: {share:.4f}")
""",
    "tokens": """logits = outputs[0, -1, first:]
shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
print("".join(text))
for k in np.argsort(-shares)[:5]:
    print(f"next {tokens[k]!r}: {shares[k]:.4f}")
""",
    "numbers": """output = manifest["output"]
print(outputs[0] * output.get("scale", 1.0) + output.get("centre", 0.0))
""",
}


def write_example(recipe: str, name: str, kind: str, reading: dict) -> str:
    """Return the program.

    Args:
        recipe: Name of the recipe.
        name: Of the format.
        kind: `text`, `tokens` or `numbers`.
        reading: What the manifest says of the first input.
    """
    imports, read = "", READ[kind]
    if kind == "text":
        imports = "import re\nimport sys\nimport unicodedata\n"
        way = reading["segmenter"]
        if way is None and reading["unit"] == "characters":
            way = "characters"
        read = read.replace("SPLIT", SPLITS[way])
    start = START.format(recipe=recipe, imports=imports)
    if kind == "text" and reading["segmenter"]:
        start = start.replace(
            "import numpy as np\n", "import numpy as np\nimport rjieba\n"
        )
    return f"{start}\n{read}\n{FORMATS[name].lines}\n{END[kind]}"
