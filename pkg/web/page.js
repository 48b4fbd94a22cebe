// Fetches the page again every few seconds and turns the old text into the new, part by part: what was unfolded stays so,
// what has the keyboard's focus keeps it, and what is marked for copying stays marked. When the daemon does not answer, the
// page says since when it is old.
"use strict";
const every = 5000;
let last = new Date();

// same says whether one node may become the other.
function same(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");
}

// become turns an element into another, and touches only what differs.
function become(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const known = new Map([...old.children].filter((c) => c.id).map((c) => [c.id, c]));
  let at = old.firstChild;
  for (const want of [...fresh.childNodes]) {
    const have = want.id ? known.get(want.id) : at;
    if (!have || !same(have, want)) {
      old.insertBefore(document.importNode(want, true), at);
      continue;
    }
    if (have === at) at = at.nextSibling;
    else old.insertBefore(have, at);
    if (have.nodeType === Node.ELEMENT_NODE) become(have, want);
    else if (have.data !== want.data) have.data = want.data;
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

async function refresh() {
  const stale = document.getElementById("stale");
  try {
    const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(4 * every) });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = page.title;
    document.querySelector("link[rel=icon]").href = page.querySelector("link[rel=icon]").href;
    for (const part of ["main", "footer"]) become(document.querySelector(part), page.querySelector(part));
    last = new Date();
    stale.hidden = true;
    document.body.classList.remove("stale");
  } catch (e) {
    const since = last.toISOString().replace(/.*T(.*)\..*/, "$1 UTC");
    stale.textContent = "This page is old: the daemon has not answered since " + since + ". What it shows may no longer be so.";
    stale.hidden = false;
    document.body.classList.add("stale");
    document.title = "(old) " + document.title.replace(/^\(old\) /, "");
  }
  setTimeout(refresh, every);
}

setTimeout(refresh, every);
