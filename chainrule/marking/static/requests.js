// The page of regrade requests: records answers.
"use strict";

const page = document.body.dataset;

async function post(path, body) {
  const reply = await fetch(page.base + path, {
    method: "POST",
    headers: {"Content-Type": "application/json", "X-XSRFToken": page.xsrf},
    body: JSON.stringify(body),
  });
  const data = await reply.json();
  if (!reply.ok) throw new Error(data.error);
}

function handle(form, said, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await work();
      location.reload();
    } catch (error) {
      said.textContent = error.message;
    }
  });
}

const number = (text) => Number(text.trim().replace(",", "."));

for (const form of document.querySelectorAll("form.answer")) {
  const points = form.elements.namedItem("points");
  handle(form, form.querySelector(".said"), () => post(`/requests/${form.dataset.number}/answer`, {
    answer: form.querySelector("textarea").value,
    points: points ? number(points.value) : null,
    seen: points ? Number(form.dataset.seen) : null,
  }));
}

const who = document.getElementById("name-form");
if (who) {
  handle(who, document.getElementById("name-said"), () => post("/name", {name: document.getElementById("name").value}));
}
