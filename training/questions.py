"""First sentences of docstrings as people type them into a search box: "how to parse a url in python"."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from training.pairs import Pair

_SHARE = 0.6
"""Of the documented units: the others are asked for by their sentence alone."""
_FORMS = (
    "how to {} in python",
    "python how to {}",
    "how do i {} in python",
    "python {}",
    "python {}",
    "{} in python",
    "{} python",
    "python function to {}",
    "{}",
)
_ARTICLES = frozenset(("a", "an", "the", "this", "that", "its", "given", "specified"))
_ENDS = re.compile(r"[,;:(]|\s(?:which|that|so|if|when|where|because|unless)\s")
_MOST_WORDS = 9


def web_questions(pairs: Sequence[Pair], seed: int) -> Iterator[Pair]:
    """More pairs from those of docstrings. In half of them the code keeps the sentence, as most documented code does,
    and the question has lost some of its words: what is left must be found among all the others."""
    chance = random.Random(seed)
    for pair in pairs:
        if pair.view != "docstring" or chance.random() > _SHARE:
            continue
        words = _typed(pair.question)
        if len(words) < 2:
            continue
        if chance.random() < 0.5:
            yield pair._replace(view="typed", question=chance.choice(_FORMS).format(" ".join(words)))
        else:
            kept = [word for place, word in enumerate(words) if place == 0 or chance.random() < 0.7]
            name, _, rest = pair.code.partition("\n")
            question = chance.choice(_FORMS).format(" ".join(kept))
            yield pair._replace(view="typed", question=question, code=f"{name}\n{pair.question}\n{rest}")


def _typed(sentence: str) -> list[str]:
    """ "Returns the name of the given file, if any." → return name of file."""
    said = _ENDS.split(sentence.rstrip(".!?"))[0].lower()
    words = [word for word in re.findall(r"[a-z0-9_.+#'-]+", said) if word not in _ARTICLES][:_MOST_WORDS]
    return [_plain_form(words[0]), *words[1:]] if words else []


def _plain_form(verb: str) -> str:
    """returns → return, applies → apply, fetches → fetch; what is no third person stays."""
    if len(verb) < 5 or not verb.endswith("s") or verb.endswith(("ss", "us", "is")):
        return verb
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    return verb[:-2] if re.search(r"(ch|sh|x|ss|zz)es$", verb) else verb[:-1]
