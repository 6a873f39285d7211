// Writing down a complaint: earlier ones of the same person appear meanwhile; leaving by mistake is asked about.
"use strict";
{
  const form = $("#record");
  const telling = ["complainant-email", "complainant-phone", "order_ref"];
  let turn = 0, written = false;
  form.addEventListener("input", () => { written = true; });
  form.addEventListener("submit", () => { written = false; });
  addEventListener("beforeunload", (event) => { if (written) event.preventDefault(); });
  form.addEventListener("change", async (event) => {
    if (!telling.includes(event.target.name)) return;
    const now = ++turn, body = new URLSearchParams(telling.map((name) => [name, form.elements[name].value]));
    const answer = await ask("/console/record/likely", { method: "POST", body });
    if (answer?.ok && now === turn) $("#likely").innerHTML = await answer.text();
  });
}
