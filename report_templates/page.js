"use strict";
// A link to a trial opens its part; paper shows what is folded on screen, trials excepted: those are too many.
(() => {
  const open = () => {
    let id = location.hash.slice(1);
    try {
      id = decodeURIComponent(id);
    } catch {
      return; // no link of ours
    }
    const details = id && document.getElementById(id)?.closest("details");
    if (!details) return;
    details.open = true;
    details.scrollIntoView();
    details.querySelector("summary").focus({ preventScroll: true });
  };
  addEventListener("hashchange", open);
  document.addEventListener("click", (event) => {
    // The same link once more changes no hash.
    if (event.target.closest('a[href^="#trial-"]')) setTimeout(open);
  });
  open();

  const opened = [];
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details.printed:not([open])")) {
      details.open = true;
      opened.push(details);
    }
  });
  addEventListener("afterprint", () => {
    for (const details of opened.splice(0)) details.open = false;
  });
})();
