"use strict";

// Pages work without this. It adds what HTML cannot: all folded parts at once, and older and newer by a key.

function unfoldAll(section, open) {
  for (const part of section.querySelectorAll("details")) part.open = open;
}

for (const section of document.querySelectorAll("section[id$=threads], section[id$=stack]")) {
  const heading = section.querySelector("h2");
  const folded = section.querySelectorAll("details");
  if (!heading || !folded.length) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "small unfold";
  button.textContent = "unfold all";
  button.addEventListener("click", () => {
    const open = button.textContent === "unfold all";
    unfoldAll(section, open);
    button.textContent = open ? "fold all" : "unfold all";
  });
  heading.after(button);
}

// A link to a folded part opens it.
function openTarget() {
  let part = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const target = part;
  for (; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  if (target) target.scrollIntoView();
}
addEventListener("hashchange", openTarget);
openTarget();

const NEIGHBOURS = { "[": "prev", "]": "next" };
addEventListener("keydown", (event) => {
  const writes = event.target.closest("input, textarea, select");
  if (writes || event.ctrlKey || event.metaKey || event.altKey || !(event.key in NEIGHBOURS)) return;
  const link = document.querySelector(`a[rel=${NEIGHBOURS[event.key]}]`);
  if (link) location.assign(link.href);
});
