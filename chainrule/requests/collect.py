"""Collects regrade requests from mails, comments and texts."""

from __future__ import annotations

import mailbox
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from html import unescape
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

from chainrule.course import CourseError, CourseFolder
from chainrule.intake.roster import class_list
from chainrule.requests.line import RequestLine, requests_in
from chainrule.requests.store import NewRequest, Requests

MAX_BYTES = 100 << 20
MAILBOXES = {".mbox", ".mbx"}
MAILS = {".eml"}


@dataclass(frozen=True)
class Letter:
    """A text with requests in it. `sender` is an address, or "" if the file does not say."""

    text: str
    sender: str = ""


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
    with Gradebook(folder.directory.db_url) as gradebook:
        people = class_list(folder, gradebook)
        for path in paths:
            found = [(letter, line) for letter in letters(path) for line in requests_in(letter.text)]
            if not found:
                raise CourseError(
                    f"{path} has no regrade request: a request is a line 'Regrade request [...]: reason', copied from "
                    "a feedback page"
                )
            for letter, line in found:
                _take(folder, gradebook, requests, path, letter, line, done)
                email = people[line.student].email if line.student in people else ""
                if email and letter.sender and email.casefold() != letter.sender.casefold():
                    done.remarks.append(
                        f"{path.name}: the request of {line.student} came from {letter.sender}, not from {email}"
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
            for raw in box:
                yield from _of_mail(message_from_bytes(raw.as_bytes(), policy=policy.default))
            return
        data = path.read_bytes()
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}") from None
    if path.suffix.lower() in MAILS:
        yield from _of_mail(message_from_bytes(data, policy=policy.default))
        return
    text = data.decode("utf-8-sig", "replace")
    yield Letter(without_tags(text) if re.match(r"\s*<", text) else text)


def _of_mail(mail: EmailMessage) -> Iterator[Letter]:
    body = mail.get_body(("plain", "html"))
    if body is None:
        return
    try:
        text = str(body.get_content())
    except (LookupError, ValueError):  # an encoding that Python does not know
        text = (body.get_payload(decode=True) or b"").decode("utf-8", "replace")  # type: ignore[union-attr]
    sender = parseaddr(str(mail.get("from", "")))[1]
    yield Letter(without_tags(text) if body.get_content_subtype() == "html" else text, sender)


def without_tags(html: str) -> str:
    """The text of a page, with an empty line between paragraphs.

    >>> without_tags("<p>Regrade <b>request</b></p><p>why</p>").split()
    ['Regrade', 'request', 'why']
    """
    text = re.sub(r"(?is)<(script|style)\b.*?</\1>", "", html)
    text = re.sub(r"(?i)</(p|div|tr|li|blockquote)>|<br\s*/?>\s*<br\s*/?>", "\n\n", text)
    return unescape(re.sub(r"<[^>]*>", " ", re.sub(r"(?i)<br\s*/?>", "\n", text)))
