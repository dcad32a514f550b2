"""Whose a file is where the LMS doesn't name a student: teams, and names that anonymous marking has hidden.

A CSV with the columns name and id says it: a name as the download has it, such as `Participant 111` or `Group A`, and a
student's id. A team has a row for each member. Teams may also be in the roster, in a column `group`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from chainrule.course import CourseError
from chainrule.intake.lms import Owner, ParsedName, folded
from chainrule.intake.lms_name import LmsName
from chainrule.intake.roster import Person, read_rows

Teams = Mapping[str, list[Person]]  # by the key of a name
Key = tuple[str, str]  # who and number, as an LMS writes them

# what LMSs write in place of a name, in some of their languages, without digits
HIDDEN = {
    *("participant", "participante", "partecipante", "teilnehmer", "teilnehmerin", "deelnemer", "deltager"),
    *("anonymous", "anonymousstudent", "anonymoususer", "anonym", "anonyme", "anonimo", "anon", "student"),
}


def read_teams(path: Path | None, people: list[Person]) -> Teams:
    """The students by team or hidden name: the roster's groups and, if there is one, what the CSV says.

    Raises:
        CourseError: the CSV cannot be used, or it has an id that is not on the roster.
    """
    teams: dict[str, list[Person]] = {}
    for person in people:
        if person.group:
            teams.setdefault(key(person.group), []).append(person)
    if path is None:
        return teams
    known = {person.id: person for person in people}
    told: dict[str, list[Person]] = {}
    for where, values in read_rows(path, ("name", "id")):
        if values["id"] not in known:
            raise CourseError(
                f"{where}: no student on the roster has the id {values['id']!r}: correct one of them"
            )
        told.setdefault(key(values["name"]), []).append(known[values["id"]])
    return teams | told


def key(name: str) -> str:
    """A name without spaces and punctuation. The case stays: Canvas's anonymous ids differ in it."""
    return "".join(c for c in unicodedata.normalize("NFKC", name) if c.isalnum())


def members(
    lms: LmsName,
    names: Iterable[ParsedName],
    owners: Mapping[Key, Owner],
    people: list[Person],
    teams: Teams,
    remarks: list[str],
) -> dict[Key, list[Person] | str]:
    """The students of each name in a download, the one who handed in first; or why nobody is known.

    Args:
        owners: what the LMS's names alone say.
        remarks: gets a sentence about each team of which only one member is known.
    """
    keys = {(name.who, name.number) for name in names}
    result: dict[Key, list[Person] | str] = {}
    by_name: dict[str, set[Person]] = {}
    for each in people:
        for name in {folded(each.first + each.last), folded(each.last + each.first)} - {""}:
            by_name.setdefault(name, set()).add(each)
    for who, number in keys:
        owner = owners.get((who, number)) or owners[who, ""]
        told = next((teams[k] for k in map(key, (f"{who} {number}", who)) if k and k in teams), None)
        team, person = team_and_person(who, by_name, teams) if lms == LmsName.moodle else ("", None)
        if isinstance(owner, Person):
            result[who, number] = [owner]
        elif told:
            result[who, number] = told
        elif person:
            others = [each for each in teams.get(key(team), []) if each != person]
            result[who, number] = [person, *others]
            if key(team) not in teams:
                remarks.append(
                    f"{team}: its file was taken for {person.first} {person.last} ({person.id}) alone; if it "
                    "is a team, name its members in the roster's column `group`, or by --teams FILE.csv (name,id)"
                )
        elif team and (
            known := teams.get(key(f"{who.removeprefix(f'{team}-')} {number}")) or teams.get(key(team))
        ):
            result[who, number] = known
        elif folded(who) in by_name:  # several students have this name
            result[who, number] = owner
        elif folded(who.rpartition("-")[2]) not in by_name and is_hidden(who.rpartition("-")[2], keys):
            shown = f"{who} {number}".strip()
            result[who, number] = (
                f"{lms} has hidden the names (anonymous marking), so it can't be known here who {shown} is: "
                "show the names there and download again, or say it by --teams FILE.csv with the columns name,id "
                f"({shown},STUDENT)"
            )
        elif lms != LmsName.blackboard or "group" in folded(who):
            result[who, number] = (
                f"{owner}. If it is a team, name its members in the roster's column `group`, or by --teams FILE.csv "
                f"with the columns name,id ({who},STUDENT)"
            )
        else:
            result[who, number] = owner
    return result


def team_and_person(who: str, by_name: Mapping[str, set[Person]], teams: Teams) -> tuple[str, Person | None]:
    """A team's name and one of its members, as Moodle writes `Group A-Ada Lovelace`; "" and None if it is none.

    An unknown team has a space or a digit in its name: Jean-Pierre Martin is not Pierre Martin of the team Jean.
    """
    parts = who.split("-")
    for at in range(1, len(parts)):
        team, found = "-".join(parts[:at]), by_name.get(folded("-".join(parts[at:])), set())
        if len(found) == 1 and (key(team) in teams or any(c == " " or c.isdigit() for c in team)):
            return team, next(iter(found))
    return "-".join(parts[:-1]), None


def is_hidden(who: str, keys: Iterable[Key]) -> bool:
    """Whether an LMS has written this in place of a name: it says so, or several students have the same."""
    word = folded(who).rstrip("0123456789")
    return word in HIDDEN or who.startswith("anon_") or sum(name == who for name, _ in keys) > 1
