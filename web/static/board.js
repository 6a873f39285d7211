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
  // j and k go from card to card, left and right from lane to lane; space chooses, m goes to the list of people
  const stop = (task) => $("[name=card], a", task);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
    const way = { j: 1, k: -1, ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!way) return;
    if (event.key.length === 1) {
      const cards = $$(".task");
      const at = cards.indexOf(document.activeElement.closest(".task"));
      stop(cards[Math.min(cards.length - 1, Math.max(0, at + way))] ?? form)?.focus();
      return;
    }
    const lanes = $$(".lane");
    const lane = lanes[Math.min(lanes.length - 1, Math.max(0, lanes.indexOf(document.activeElement.closest(".lane")) + way))];
    event.preventDefault();
    (stop(lane) ?? $("a", lane) ?? lane).focus();
    lane.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}
