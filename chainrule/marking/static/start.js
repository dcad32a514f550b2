// The assignment's page: who marks what.
"use strict";

handle(document.getElementById("share-form"), document.getElementById("share-said"), (form) => post(
  `/a/${encodeURIComponent(page.assignment)}/shares`,
  {
    marker: form.elements.marker.value.trim(),
    items: [...form.querySelectorAll("[name=item]:checked")].map((box) => box.value),
    students: form.elements.students.value.split(/[\s,]+/).filter(Boolean),
  },
));

document.addEventListener("keydown", (event) => {
  const link = document.getElementById("go-on");
  if (event.key === "Enter" && link && event.target === document.body) link.click();
});
