"""Tags of words: sequences that break their scheme, and entities that are tagged in two ways in the same place."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from deepen.data.check.problem import Problem, Severity, Splits, place, shown, targets, verb
from deepen.data.table import Part
from deepen.data.words import join_words

_BROKEN = re.compile(r"([\d,]+) tags? breaks? the scheme, .*")
_MOST_TOKENS = 6
_MANY_SHARE = 0.01
# The token before, the entity's tokens, the token after.
Key = tuple[str, tuple[str, ...], str]


def find(splits: Splits) -> Iterator[Problem]:
    """What is wrong with tags, where a row has one for each token."""
    if not splits.has_tags:
        return
    known: Counter[str] = Counter()
    for name, part in splits.parts.items():
        if not part.table.has_target:
            continue
        yield from _broken(name, part)
        yield from _inconsistent(name, part)
        types, firsts = _types(part)
        if name == "train":
            known = types
            rare = [kind for kind in types if types[kind] < 5]
            if rare:
                message = f"{len(rare):,} entity types occur fewer than 5 times, as {shown(rare[0])} with "
                message += f"{types[rare[0]]}"
                line, remedy = place(part, firsts[rare[0]]), "collect rows with them"
                yield Problem("warning", "rare_entity_type", part.table.name, line, len(rare), message, remedy)
            continue
        unknown = [kind for kind in types if kind not in known]
        if unknown:
            count = sum(types[kind] for kind in unknown)
            message = (
                f"{count:,} entities of {name} of a type that the training rows don't have, as {shown(unknown[0])}"
            )
            line = place(part, firsts[unknown[0]])
            remedy = "mend the tags, or add training rows with them"
            yield Problem("error", "unknown_tag", part.table.name, line, count, message, remedy)


def _broken(name: str, part: Part) -> Iterator[Problem]:
    """The reader counts them, since it turns every scheme into IOB2."""
    for match in list(filter(None, map(_BROKEN.search, part.table.notes)))[:1]:
        count = int(match.group(1).replace(",", ""))
        remedy = "correct the tags where an entity should go on; nothing to do if it should start"
        yield Problem("warning", "broken_tags", part.table.name, None, count, f"{name}: {match.group()}", remedy)


def spans(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Start, end and type of each entity in IOB2 tags."""
    start = 0
    for at, tag in enumerate([*tags, "O"]):
        if at and tags[at - 1] != "O" and not tag.startswith("I-"):
            yield start, at, tags[at - 1][2:]
        if tag.startswith("B-"):
            start = at


def _types(part: Part) -> tuple[Counter[str], dict[str, int]]:
    counts: Counter[str] = Counter()
    firsts: dict[str, int] = {}
    for at, tags in enumerate(targets(part)):
        for tag in tags or ():
            if tag.startswith("B-"):
                counts[tag[2:]] += 1
                firsts.setdefault(tag[2:], at)
    return counts, firsts


def _inconsistent(name: str, part: Part) -> Iterator[Problem]:
    lexicon: set[tuple[str, ...]] = set()
    total = 0
    for tokens, tags in zip(part.values("tokens"), targets(part), strict=True):
        for start, end, _ in spans(tags or ()):
            total += 1
            words = tuple(tokens[start:end])
            if end - start <= _MOST_TOKENS and sum(map(len, words)) > 1:
                lexicon.add(words)
    lengths: dict[str, set[int]] = defaultdict(set)
    for words in lexicon:
        lengths[words[0]].add(len(words))
    seen: dict[Key, Counter[str]] = defaultdict(Counter)
    where: dict[tuple[Key, str], int] = {}
    for at, (tokens, tags) in enumerate(zip(part.values("tokens"), targets(part), strict=True)):
        for key, kind in _occurrences(tokens, tags or (), lexicon, lengths):
            seen[key][kind] += 1
            where.setdefault((key, kind), at)
    return _two_ways(name, part, seen, where, total)


def _occurrences(
    tokens: Sequence[str], tags: Sequence[str], lexicon: set[tuple[str, ...]], lengths: dict[str, set[int]]
) -> Iterator[tuple[Key, str]]:
    """Where a known entity's words stand between two neighbours, and as what they are tagged; 'O' if as nothing."""
    whole = {(start, end): kind for start, end, kind in spans(tags)}
    for start in range(len(tags)):
        for length in lengths.get(tokens[start], ()):
            end = start + length
            words = tuple(tokens[start:end])
            if end > len(tags) or words not in lexicon or (start == 0 and end == len(tags)):
                continue
            kind = whole.get((start, end)) or ("O" if all(tag == "O" for tag in tags[start:end]) else "")
            if kind:
                before = tokens[start - 1] if start else ""
                after = tokens[end] if end < len(tokens) else ""
                yield (before.casefold(), words, after.casefold()), kind


def _two_ways(
    name: str, part: Part, seen: dict[Key, Counter[str]], where: dict[tuple[Key, str], int], total: int
) -> Iterator[Problem]:
    count, first = 0, None
    for key, kinds in seen.items():
        if len(kinds) > 1:
            (usual, _), *others = kinds.most_common()
            count += sum(number for _, number in others)
            if first is None or len(key[1]) > len(first[0][1]):
                first = (key, usual, others[0][0])
    if first is None:
        return
    key, usual, odd = first
    at, other = where[key, odd], where[key, usual]
    around = join_words([word for word in (key[0], *key[1], key[2]) if word])[0]
    what = f"{count:,} mention{'' if count == 1 else 's'} in {name} {verb(count, 'are')}"
    message = (
        f"{what} tagged in another way than between the same words elsewhere, as {shown(join_words(key[1])[0])} in "
        f"{shown(around)}: {odd} here, {usual} in line {place(part, other)}"
    )
    severity: Severity = "warning" if count >= _MANY_SHARE * max(total, 1) else "note"
    remedy = "decide on one tag for each"
    yield Problem(severity, "inconsistent_entity", part.table.name, place(part, at), count, message, remedy)
