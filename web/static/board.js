// The team board: cards are dragged from one person to another. Without this script the boxes and the list above do the same.
"use strict";
{
  const form = $("#board-form");
  const send = (lane, card) => {
    const box = $("[name=card]", card);
    box.checked = true;
    $("#to").value = lane.dataset.to;
    form.requestSubmit();
  };
  let carried = null;
  form?.addEventListener("dragstart", (event) => {
    carried = event.target.closest?.(".task");
    if (!carried) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", $("[name=card]", carried).value);
    carried.classList.add("carried");
  });
  form?.addEventListener("dragend", () => {
    carried?.classList.remove("carried");
    $$(".lane.over").forEach((lane) => lane.classList.remove("over"));
    carried = null;
  });
  for (const lane of $$(".lane:not([data-closed])")) {
    lane.addEventListener("dragover", (event) => {
      if (!carried || lane.contains(carried)) return;
      event.preventDefault();
      lane.classList.add("over");
    });
    lane.addEventListener("dragleave", (event) => { if (!lane.contains(event.relatedTarget)) lane.classList.remove("over"); });
    lane.addEventListener("drop", (event) => { event.preventDefault(); if (carried && !lane.contains(carried)) send(lane, carried); });
  }
  // j and k go from card to card; space chooses, m goes to the list of people
  document.addEventListener("keydown", (event) => {
    if (!["j", "k"].includes(event.key) || event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
    const boxes = $$(".task [name=card]");
    const at = boxes.indexOf(document.activeElement);
    boxes[Math.min(boxes.length - 1, Math.max(0, at + (event.key === "j" ? 1 : -1)))]?.focus();
  });
}
