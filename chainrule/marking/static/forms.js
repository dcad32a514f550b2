// Forms that send JSON, and the marker's name, which two pages ask for.
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

function handle(form, said, work) {
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await work(form);
      location.reload();
    } catch (error) {
      said.textContent = error.message;
    }
  });
}

handle(document.getElementById("name-form"), document.getElementById("name-said"), () => post("/name", {
  name: document.getElementById("name").value,
}));
