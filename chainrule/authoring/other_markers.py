"""Lines by which an author means to cut something out, and which are none of the course's markers: in another language,
or as another tool writes them.

`chainrule.release.source` knows a marker that is misspelt. Here a line counts if each of its words is known, and if
something stands below it that students should not get.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple


def listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


# without accents, as `words_of` gives them
BEGIN = listed(
    "begin beginn anfang start debut inicio comienzo comeco inizio begynnelse borjan alku poczatek "
    "zacatek baslangic начало 开始 開始 시작"
)
END = listed("end ende fin fim fine einde slutt slut loppu koniec konec bitis stop конец 结束 終了 끝")
SOLUTION = listed(
    "solution solutions losung losungen loesung loesungen musterlosung musterloesung solucion soluciones "
    "solucao solucoes soluzione soluzioni oplossing losning ratkaisu rozwiazanie reseni cozum решение решения "
    "answer answers reponse reponses antwort antworten respuesta respuestas resposta respostas risposta "
    "risposte antwoord svar corrige 答案 解答 해답 정답"
)
TESTS = listed("test tests testes testy prueba pruebas тесты 测试 テスト 테스트")
HIDDEN = listed(
    "hidden cache caches masque masques verborgene versteckte ocultas ocultos nascosti verborgen skjulte "
    "dolda ukryte скрытые 隐藏 隠し 숨은"
)
SCHEME = listed("bareme bewertungsschema korrekturschema punkteschema")
BETWEEN = listed(
    "the of a your model sample reference instructor de la le les du des l d der die das den dem del los "
    "las el do da dos della dei di het van"
)
TAG = re.compile(r"^\W*<(/?)\s*(\w+)\s*>\W*$")  # #<solution> and #</solution>
LINE_OF_OTTER = re.compile(r"\S.*[^#\s]\s*#\s*SOLUTION(?: NO PROMPT)?\s*$")
NO_ALPHABET = re.compile(r"(开始|開始|结束|終了|答案|解答|隐藏|隠し|测试|テスト)")
SCAFFOLD = re.compile(
    r"(?i)\s*(?:#.*|pass|\.\.\.|raise\b.*|todo\(\)|(?:return\s+|[\w.,\s]+=\s*)(?:none|\.\.\.|todo\(\))|return(?:\s+\w+)?)?"
    r"\s*(?:#.*)?$"
)
TO_STUDENTS = re.compile(r"(?i)\b(?:your|here|votre|ici|hier|ihre|deine|aqu[íi]|tu|qui|hier|uw)\b")

Kind = Literal["solution", "tests", "scheme"]


class Mark(NamedTuple):
    """What a line says: that something begins there, or ends."""

    begins: bool
    kind: Kind


def mark(line: str) -> Mark | None:
    """What a line is meant to mark; None if one of its words is about something else.

    >>> mark("### DÉBUT DE LA SOLUTION"), mark("# Ende Lösung ---"), mark("#</solution>")
    (Mark(begins=True, kind='solution'), Mark(begins=False, kind='solution'), Mark(begins=False, kind='solution'))
    >>> mark("# the solution begins here"), mark("### START CODE HERE ###"), mark("## Solution")
    (None, None, None)
    """
    if tag := TAG.match(line):
        return Mark(not tag[1], "solution") if tag[2].casefold() in {*SOLUTION, "sol"} else None
    words = [word for word in words_of(line) if word not in BETWEEN]
    begins, ends = BEGIN & {*words}, END & {*words}
    rest = {*words} - begins - ends
    if len(begins) + len(ends) != 1 or len(words) > 3:
        return None
    if len(rest) == 1 and rest <= SOLUTION:
        return Mark(bool(begins), "solution")
    if len(rest) == 1 and rest <= SCHEME:
        return Mark(bool(begins), "scheme")
    if len(rest) == 2 and rest & TESTS and rest & HIDDEN:
        return Mark(bool(begins), "tests")
    return None


def words_of(line: str) -> list[str]:
    """The words of a line, without accents and capital letters.

    >>> words_of("### ANFANG_LÖSUNG: 开始答案")
    ['anfang', 'losung', '开始', '答案']
    """
    composed = unicodedata.normalize("NFKD", NO_ALPHABET.sub(r" \1 ", line).casefold())
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", re.sub(r"[\u0300-\u036f]", "", composed)))


def other_markers(text: str, markers: Iterable[str], code: bool) -> Iterator[tuple[str, Kind]]:
    """Each line that is meant to hide what stands below it, and does not; and what it is meant to hide.

    It is one only if it has its end, or is written in capitals as a comment. Where nothing stands below it but what
    students are to replace, it shows them where to write.

    Args:
        text: of a cell, as it is released.
        markers: of the course.
        code: whether the cell is code.
    """
    lines = text.splitlines()
    skipped = [any(each in line for each in markers) or (code and line.lstrip()[:1] != "#") for line in lines]
    known = [None if skip else mark(line) for skip, line in zip(skipped, lines, strict=True)]
    for number, (line, said) in enumerate(zip(lines, known, strict=True)):
        if code and LINE_OF_OTTER.match(line):
            yield line, "solution"
        if said is None or not said.begins:
            continue
        rest, end = known[number + 1 :], Mark(False, said.kind)
        below = lines[number + 1 :][: rest.index(end) if end in rest else None]
        loud = code and line.isupper() and line.lstrip().startswith("##")
        if (end in rest or loud) and not is_scaffold(below, code):
            yield line, said.kind


def is_scaffold(lines: Iterable[str], code: bool) -> bool:
    """Whether lines are only what students are to replace: `pass`, `x = None`, "write your answer here"."""
    told = [line for line in lines if line.strip()]
    if code:
        return all(map(SCAFFOLD.match, told))
    return not told or (len(told) == 1 and bool(TO_STUDENTS.search(told[0])))
