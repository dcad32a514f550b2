// The page of regrade requests: records answers.
"use strict";

const number = (text) => Number(text.trim().replace(",", "."));

for (const form of document.querySelectorAll("form.answer")) {
  const points = form.elements.namedItem("points");
  handle(form, form.querySelector(".said"), () => post(`/requests/${form.dataset.number}/answer`, {
    answer: form.querySelector("textarea").value,
    points: points ? number(points.value) : null,
    seen: points ? Number(form.dataset.seen) : null,
  }));
}
