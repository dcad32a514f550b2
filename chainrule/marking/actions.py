"""What the marking page asks for while an item is marked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from jupyter_server.auth.decorator import authorized
from sqlalchemy import Connection
from tornado import web

from chainrule.errors import ChainruleError
from chainrule.marking import second_look, views
from chainrule.marking.drawing import Drawing
from chainrule.marking.errors import MarkingError
from chainrule.marking.exchange import import_csv
from chainrule.marking.handler import MarkingHandler, Result
from chainrule.marking.rows import RowChange, change_row, preview, read_rubric, write_back
from chainrule.marking.states import Draft, Marker, Seen, State
from chainrule.one_writer import require_open

AHEAD = 12  # answers that are drawn before they are asked for
MAX_BODY = 20_000_000  # bytes of an imported file


class ActionHandler(MarkingHandler):
    """What the marking page asks for; each action is a method below."""

    @web.authenticated
    @authorized
    async def post(self, assignment: str, notebook: str, name: str, action: str) -> None:
        if len(self.request.body) > MAX_BODY:
            raise web.HTTPError(413)
        body = self.asked()
        if not self.marker_name:
            raise MarkingError("say who you are first, on the assignment's page")
        require_open(self.rooms.folder.root)
        room, item = await self.in_thread(partial(self.found, assignment, notebook, name))
        self.room, self.item, self.body = room, item, body
        self.marker = Marker(self.marker_name, str(body.get("tab", ""))[:64])
        method: Callable[[], Awaitable[dict[str, Any]]] | None = getattr(self, f"do_{action}", None)
        if method is None:
            raise web.HTTPError(404)
        try:
            reply = await method()
        except ChainruleError:
            raise
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise MarkingError(f"the request lacks something: {error}") from None
        self.finish(reply)

    async def with_database(self, work: Callable[[Connection], Result]) -> Result:
        """Do something in one transaction."""

        def whole() -> Result:
            self.room.work.read_ahead(self.item)
            with self.room.database.transaction() as connection:
                return work(connection)

        return await self.in_thread(whole)

    # ---- answers -------------------------------------------------------------------------------------------------

    async def do_next(self) -> dict[str, Any]:
        """Hand out the next waiting answer."""
        return await self._shown(await self.with_database(self._next))

    async def do_open(self) -> dict[str, Any]:
        """Hand out a certain answer, or the one before or after it."""
        student = self.room.student(self.body["who"])
        step = int(self.body.get("step", 0))

        def work(connection: Connection) -> dict[str, Any]:
            wanted = student
            if step:
                wanted = self.room.neighbour(connection, self.item, self.marker, student, step)
            return self._offer(connection, self.room.open(connection, self.item, self.marker, wanted))

        return await self._shown(await self.with_database(work))

    async def do_save(self) -> dict[str, Any]:
        """Save a mark and hand out the next answer."""
        student, draft, seen = self._student(), self._draft(), self._seen()

        def work(connection: Connection) -> dict[str, Any]:
            if self.body.get("second"):
                found = second_look.save_look(
                    connection, self.room, self.item, student, draft, self.marker, seen.answer, seen.rubric
                )
                return self._compared(found)
            mark = self.room.save(connection, self.item, student, draft, seen, self.marker)
            return {"saved": mark.points} | self._next(connection, after=student)

        return await self._shown(await self.with_database(work))

    async def do_equal(self) -> dict[str, Any]:
        """Give all equal answers the mark that this one has just got."""
        student, draft, seen = self._student(), self._draft(), self._seen()

        def work(connection: Connection) -> dict[str, Any]:
            mark = self.room.save(connection, self.item, student, draft, seen, self.marker)
            done = self.room.save_equal(connection, self.item, student, self.marker)
            return {"saved": mark.points, "equalDone": len(done)} | self._next(connection, after=student)

        return await self._shown(await self.with_database(work))

    async def do_undo(self) -> dict[str, Any]:
        """Take back what the marker did last and show its answer."""

        def work(connection: Connection) -> dict[str, Any]:
            if self.body.get("second"):
                raise MarkingError("a second look is not taken back here: leave it to take back a first mark")
            taken = self.room.undo(connection, self.item, self.marker)
            state = self.room.open(connection, self.item, self.marker, taken[-1])
            return {"undone": len(taken)} | self._offer(connection, state)

        return await self._shown(await self.with_database(work))

    async def do_settle(self) -> dict[str, Any]:
        """Choose between a first and a second mark."""
        student, take = self._student(), bool(self.body["take"])
        await self.with_database(
            lambda connection: second_look.settle(
                connection, self.room, self.item, student, take, self.marker
            )
        )
        return {}

    async def do_leave(self) -> dict[str, Any]:
        """Give back what the tab holds."""
        await self.with_database(lambda connection: self.room.leave(connection, self.marker))
        return {}

    async def do_stay(self) -> dict[str, Any]:
        """Hold it for longer."""
        await self.with_database(lambda connection: self.room.stay(connection, self.marker))
        return {}

    async def do_around(self) -> dict[str, Any]:
        """What stands around the answer."""
        student = self._student()
        drawing = await self.in_thread(lambda: views.around_drawing(self.room, self.item, student))
        (html,) = await self.rooms.drawings.drawn(drawing)
        return {"html": html}

    async def do_name(self) -> dict[str, Any]:
        """Whose answer it is."""
        return {"name": self._student()}

    # ---- rubric --------------------------------------------------------------------------------------------------

    async def do_row(self) -> dict[str, Any]:
        """Change a row: say what it would do or, with the sentence said before, do it."""
        raw = self.body["change"]
        change = RowChange(
            None if raw.get("id") is None else int(raw["id"]),
            0.0 if raw.get("removed") else row_points(raw.get("points")),
            str(raw.get("text", "")),
            bool(raw.get("removed")),
        )
        agreed = self.body.get("agreed")

        def work(connection: Connection) -> dict[str, Any]:
            if agreed is None:
                return {"preview": preview(connection, self.room, self.item, change).sentence()}
            done = change_row(connection, self.room, self.item, change, self.marker, str(agreed))
            rubric = read_rubric(connection, self.room, self.item)
            view = views.rubric_view(rubric, self.item)
            return {"done": done.sentence(), "rubric": view}

        reply = await self.with_database(work)
        return await self._with_row_texts(reply)

    async def do_scheme(self) -> dict[str, Any]:
        """Write the rubric into the mark scheme in `source/`."""

        def work(connection: Connection) -> dict[str, Any]:
            rubric = read_rubric(connection, self.room, self.item)
            return {"written": write_back(self.room, self.item, rubric)}

        return await self.with_database(work)

    async def do_import(self) -> dict[str, Any]:
        """Take in a marking as CSV; nothing is overwritten unless `overwrite` says so."""
        text, overwrite = str(self.body["text"]), bool(self.body.get("overwrite"))

        def work(connection: Connection) -> dict[str, Any]:
            taken = import_csv(connection, self.room, self.item, text, self.marker, overwrite=overwrite)
            return {"lines": taken.lines()}

        return await self.with_database(work)

    # ---- parts ---------------------------------------------------------------------------------------------------

    def _student(self) -> str:
        return self.room.student(str(self.body["who"]))

    def _draft(self) -> Draft:
        own = self.body.get("own")
        return Draft(
            tuple(int(row) for row in self.body["ticked"]),
            None if own is None else float(own),
            str(self.body.get("comment", "")),
            bool(self.body.get("flagged")),
            float(self.body.get("seconds") or 0.0),
            bool(self.body.get("judged", True)),
        )

    def _seen(self) -> Seen:
        score = self.body.get("score")
        return Seen(
            str(self.body["answer"]),
            int(self.body["revision"]),
            str(self.body["rubric"]),
            None if score is None else float(score),
            str(self.body.get("gradebookComment", "")),
            str(self.body.get("token", ""))[:64],
        )

    def _next(self, connection: Connection, after: str | None = None) -> dict[str, Any]:
        if self.body.get("second"):
            state = second_look.next_look(connection, self.room, self.item, self.marker)
        else:
            if after is None and self.body.get("after"):
                after = self.room.student(str(self.body["after"]))
            state = self.room.next_waiting(connection, self.item, self.marker, after)
        if state is None:
            return views.nothing_waits(connection, self.room, self.item, self.room.clock())
        return self._offer(connection, state)

    def _offer(self, connection: Connection, state: State) -> dict[str, Any]:
        states = self.room.states(connection, self.item)
        blind = bool(self.body.get("second"))
        reply = views.offer(connection, self.room, self.item, state, states, blind=blind)
        order = list(states)
        at = order.index(state.student)
        ahead = [states[name] for name in order[at + 1 :] + order[:at] if states[name].waits]
        reply["_parts"] = views.parts_of(self.room, self.item, state)
        reply["_ahead"] = [views.answer_drawing(self.room, self.item, each) for each in ahead[:AHEAD]]
        return reply

    def _compared(self, found: second_look.Comparison) -> dict[str, Any]:
        first = found.first
        return {
            "compared": {
                "who": self.room.alias(found.student),
                "first": first.points,
                "second": found.second.points,
                "marker": first.marker,
                "comment": first.comment,
                "ticked": list(first.rows),
            }
        }

    async def _shown(self, reply: dict[str, Any]) -> dict[str, Any]:
        """The reply with the HTML of what is to be drawn; of the question only if the page has another one."""
        parts: views.Parts | None = reply.pop("_parts", None)
        ahead = reply.pop("_ahead", [])
        drawings = self.rooms.drawings
        if parts:
            reply["html"] = (await drawings.drawn(parts.answer))[0]
            reply["question"] = parts.question.key
            if self.body.get("question") != parts.question.key:
                reply["questionHtml"] = (await drawings.drawn(parts.question))[0]
                reply["schemeHtml"] = (await drawings.drawn(parts.scheme))[0]
                reply["mistakes"] = [{"text": text, "costs": costs} for text, costs in parts.mistakes]
            drawings.ahead(ahead)
        return await self._with_row_texts(reply)

    async def _with_row_texts(self, reply: dict[str, Any]) -> dict[str, Any]:
        rubric = reply.get("rubric")
        if rubric and self.body.get("rubric") != rubric["version"] and rubric["rows"]:
            texts = tuple(row["text"] for row in rubric["rows"])
            for row, html in zip(
                rubric["rows"], await self.rooms.drawings.drawn(Drawing(texts=texts)), strict=True
            ):
                row["html"] = html
        return reply


def row_points(value: object) -> float:
    """A number of points that the page has sent."""
    if not isinstance(value, int | float):
        raise MarkingError("write the row's points as a number, such as 0.5 or -0.1")
    return float(value)
