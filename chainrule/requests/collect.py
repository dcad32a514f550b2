"""Collects regrade requests from mails, comments and texts."""

from __future__ import annotations

import mailbox
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, MIMEPart
from email.policy import EmailPolicy
from email.utils import parseaddr
from html import unescape
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

from chainrule.course import CourseError, CourseFolder
from chainrule.gradebook import open_gradebook
from chainrule.intake.roster import class_list
from chainrule.one_writer import one_writer
from chainrule.requests.line import RequestLine, requests_in
from chainrule.requests.store import NewRequest, Requests

MAX_BYTES = 100 << 20
MAILBOXES = {".mbox", ".mbx"}
MAILS = {".eml"}
MAX_HEADER = 1_000  # characters: Python reads a header in a time that grows with the square of its length


class ShortHeaders(EmailPolicy):
    """Python's policy for mails, with headers of a limited length."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:MAX_HEADER]


POLICY = ShortHeaders()


@dataclass(frozen=True)
class Letter:
    """A text with requests in it.

    Attributes:
        sender: an address; "" if a mail has none that can be read, None if the text is no mail.
        problem: why a mail cannot be read, or "".
    """

    text: str
    sender: str | None = None
    problem: str = ""


@dataclass
class Collected:
    """What came of some files.

    Attributes:
        new: how many requests were added.
        known: how many had been collected before.
        refused: requests that cannot be answered, with the reason.
        remarks: what staff should know about a request.
    """

    new: int = 0
    known: int = 0
    refused: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        first = f"{self.new} new, {self.known} collected before, {len(self.refused)} not taken"
        return [
            first,
            *(f"  not taken: {each}" for each in self.refused),
            *(f"  {each}" for each in self.remarks),
        ]


def collect(folder: CourseFolder, requests: Requests, paths: Iterable[Path]) -> Collected:
    """Take in the requests of some files: mails (.eml), mailboxes (.mbox), and any texts, such as saved comments.

    Raises:
        CourseError: a file cannot be read, or has no request in it.
    """
    done = Collected()
    with one_writer(folder.root), open_gradebook(folder.directory.db_url) as gradebook:
        people = class_list(folder, gradebook.db.connection())
        for path in paths:
            read = list(letters(path))
            broken = [letter.problem for letter in read if letter.problem]
            done.refused += [f"{path.name}: {problem}" for problem in broken]
            found = [(letter, line) for letter in read for line in requests_in(letter.text)]
            if not found and not broken:
                raise CourseError(
                    f"{path} has no regrade request: a request is a line 'Regrade request [...]: reason', copied from "
                    "a feedback page"
                )
            for letter, line in found:
                _take(folder, gradebook, requests, path, letter, line, done)
                email = people[line.student].email if line.student in people else ""
                sender = letter.sender
                if email and sender is not None and email.casefold() != sender.casefold():
                    done.remarks.append(
                        f"{path.name}: the request of {line.student} came from {sender or 'nobody'}, not from {email}"
                    )
    return done


def _take(
    folder: CourseFolder,
    gradebook: Gradebook,
    requests: Requests,
    path: Path,
    letter: Letter,
    line: RequestLine,
    done: Collected,
) -> None:
    where = f"{path.name}: {line.item} of {line.student}"
    if line.assignment not in folder.assignments:
        done.refused.append(f"{where}: there is no assignment {line.assignment}")
        return
    try:
        grade = gradebook.find_grade(line.item, line.notebook, line.assignment, line.student)
    except MissingEntry:
        done.refused.append(f"{where}: the gradebook has no such item of this student in {line.assignment}")
        return
    if not line.reason:
        done.refused.append(f"{where}: it gives no reason, so there is nothing to look for: ask for one")
        return
    request = NewRequest(
        line.assignment,
        line.notebook,
        line.item,
        line.student,
        line.reason,
        letter.sender or path.name,
        float(grade.score),
    )
    if requests.add(request):
        done.new += 1
    else:
        done.known += 1


def letters(path: Path) -> Iterator[Letter]:
    """The texts of a file.

    Raises:
        CourseError: it cannot be read.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CourseError(f"{path} is larger than {MAX_BYTES >> 20} MB: export fewer mails")
        if path.suffix.lower() in MAILBOXES:
            box = mailbox.mbox(path, create=False)
            for key in box.keys():  # noqa: SIM118 (a mailbox iterates over its mails)
                yield from _of_mail(box.get_bytes(key))
            return
        data = path.read_bytes()
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}") from None
    if path.suffix.lower() in MAILS:
        yield from _of_mail(data)
        return
    text = data.decode("utf-8-sig", "replace")
    yield Letter(without_tags(text) if re.match(r"\s*<", text) else text)


def _of_mail(data: bytes) -> Iterator[Letter]:
    """The text of a mail. Whoever sent it may have written it by hand, and Python's parser fails in many ways."""
    try:
        mail: EmailMessage = message_from_bytes(data, policy=POLICY)  # type: ignore[arg-type]
        body = mail.get_body(("plain", "html"))
        text = _text(body) if body is not None else ""
    except Exception as error:
        yield Letter(
            "", problem=f"a mail cannot be read ({type(error).__name__}): save its text as a .txt file"
        )
        return
    yield Letter(text, _sender(mail))


def _sender(mail: EmailMessage) -> str:
    try:
        return parseaddr(str(mail.get("from", "")))[1]
    except Exception:  # a hand-written header fails in many ways, too
        return ""


def _text(body: MIMEPart) -> str:
    try:
        text = str(body.get_content())
    except (LookupError, ValueError):  # an encoding that Python does not know
        text = (body.get_payload(decode=True) or b"").decode("utf-8", "replace")  # type: ignore[union-attr]
    text = text.encode("utf-8", "replace").decode()  # single surrogates fit into no database
    return without_tags(text) if body.get_content_subtype() == "html" else text


def without_tags(html: str) -> str:
    """The text of a page, with an empty line between paragraphs.

    >>> without_tags("<p>Regrade <b>request</b></p><p>why</p>").split()
    ['Regrade', 'request', 'why']
    """
    # patterns that take no time that grows with the square of a page: what is never closed goes to the end
    text = re.sub(r"(?is)<(script|style)\b.*?(?:</\1>|\Z)", "", html)
    text = re.sub(r"(?i)</(p|div|tr|li|blockquote)>|<br\s*/?>\s*<br\s*/?>", "\n\n", text)
    return unescape(re.sub(r"<[^<>]*>", " ", re.sub(r"(?i)<br\s*/?>", "\n", text)))
