// The assignment's page: the marker's name, and who marks what.
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
  return data;
}

function handle(id, said, work) {
  const form = document.getElementById(id);
  if (!form) return;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await work(form);
      location.reload();
    } catch (error) {
      document.getElementById(said).textContent = error.message;
    }
  });
}

handle("name-form", "name-said", () => post("/name", {name: document.getElementById("name").value}));
handle("share-form", "share-said", (form) => post(`/a/${encodeURIComponent(page.assignment)}/shares`, {
  marker: form.elements.marker.value.trim(),
  items: [...form.querySelectorAll("[name=item]:checked")].map((box) => box.value),
  students: form.elements.students.value.split(/[\s,]+/).filter(Boolean),
}));

document.addEventListener("keydown", (event) => {
  const link = document.getElementById("go-on");
  if (event.key === "Enter" && link && event.target === document.body) link.click();
});
