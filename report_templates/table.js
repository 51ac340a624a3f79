"use strict";
// Progressive enhancement: without this script the tables are complete, only not sortable.
(() => {
  const compare = (a, b, numeric) => (numeric ? Number(a) - Number(b) : a.localeCompare(b, undefined, { numeric: true }));

  const sort = (table, index, direction, numeric) => {
    const body = table.tBodies[0];
    const sign = direction === "ascending" ? 1 : -1;
    const value = (row) => row.cells[index].dataset.value;
    const rows = Array.from(body.rows);
    // What has no value stays last, whichever way the others go.
    rows.sort((a, b) => (value(a) === "") - (value(b) === "") || sign * compare(value(a), value(b), numeric));
    body.append(...rows);
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", direction);
        sort(table, index, direction, head.classList.contains("number"));
      });
    });
  }

  const opened = [];
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details:not([open])")) {
      details.open = true;
      opened.push(details);
    }
  });
  addEventListener("afterprint", () => {
    for (const details of opened.splice(0)) details.open = false;
  });
})();
