// The inbox's quick hands: rows by keyboard, choosing many, new work without a reload. The list works without it.
"use strict";
{
  document.documentElement.classList.add("scripted");
  const list = $("#list");
  const rows = () => $$("tbody tr", list);
  let here = -1, last = -1;

  const go = (n) => {
    const all = rows();
    if (!all.length) return;
    here = Math.max(0, Math.min(n, all.length - 1));
    all.forEach((row, i) => row.classList.toggle("here", i === here));
    all[here].scrollIntoView({ block: "nearest" });
    $("a", all[here]).focus({ preventScroll: true });
  };
  const count = () => {
    const picked = $$("[name=ref]:checked", list).length;
    if ($("#picked")) $("#picked").textContent = picked;
    $("#bulk-bar")?.classList.toggle("on", picked > 0);
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
    const row = rows()[here];
    if (event.key === "j") go(here + 1);
    else if (event.key === "k") go(here - 1);
    else if (event.key === "x" && row) { const box = $("[name=ref]", row); box.checked = !box.checked; count(); }
    else if (event.key === "c" && row && $("#claim-form")) { const form = $("#claim-form"); form.action = `/console/inbox/claim/${row.dataset.ref}`; form.requestSubmit(); }
    else if (event.key === "Enter" && row && event.target === document.body) $("a", row).click();
  });
  list.addEventListener("focusin", (event) => { const row = event.target.closest("tbody tr"); if (row) { here = rows().indexOf(row); rows().forEach((r) => r.classList.toggle("here", r === row)); } });
  list.addEventListener("click", (event) => {
    if (event.target.id === "pick-all") $$("[name=ref]", list).forEach((box) => { box.checked = event.target.checked; });
    if (event.target.name === "ref") {
      const boxes = $$("[name=ref]", list), at = boxes.indexOf(event.target);
      if (event.shiftKey && last >= 0) boxes.slice(Math.min(at, last), Math.max(at, last) + 1).forEach((box) => { box.checked = event.target.checked; });
      last = at;
    }
    count();
  });
  document.addEventListener("change", (event) => { if (event.target.matches("[data-submit]")) event.target.form.requestSubmit(); });
  document.addEventListener("click", (event) => { const sure = event.target.closest("[data-confirm]"); if (sure && !confirm(sure.dataset.confirm)) event.preventDefault(); });

  // new work: ask whether anything happened; if so fetch the rows and put them in place, unless somebody is choosing
  const query = new URL(list.dataset.address, location.href).searchParams;
  const fetchRows = async () => {
    const answer = await ask(`/console/inbox/rows?${query}`);
    if (!answer?.ok) return;
    const ref = rows()[here]?.dataset.ref;
    list.innerHTML = await answer.text();
    const part = $("[data-newest]", list);
    list.dataset.newest = part.dataset.newest;
    for (const pair of part.dataset.counts.trim().split(" ")) {
      const [view, n] = pair.split("=");
      const shown = $(`[data-count="${view}"]`);
      if (shown) shown.textContent = Number(n) > 99 ? "99+" : n;
    }
    const again = rows().findIndex((row) => row.dataset.ref === ref);
    if (again >= 0) { here = again; rows()[again].classList.add("here"); }
    count();
  };
  const hint = () => {
    if ($(".fresh")) return;
    const button = document.createElement("button");
    button.type = "button"; button.className = "fresh small"; button.textContent = list.dataset.new;
    button.onclick = () => { button.remove(); fetchRows(); };
    list.before(button);
  };
  setInterval(async () => {
    if (document.hidden) return;
    const answer = await ask(`/console/inbox/pulse?since=${list.dataset.newest}`);
    if (!answer?.ok || !(await answer.json()).changed) return;
    if ($$("[name=ref]:checked", list).length || list.contains(document.activeElement) && document.activeElement !== document.body) hint();
    else fetchRows();
  }, 5000);
}
