"use strict";
// Progressive enhancement: without this script the tables are complete, only without their controls.
(() => {
  const collator = new Intl.Collator(undefined, { numeric: true });
  const MOST_CHOICES = 60;
  let made = 0;

  const element = (tag, attributes = {}, ...children) => {
    const one = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
    one.append(...children);
    return one;
  };
  const button = (text) => element("button", { type: "button" }, text);
  const shown = (cell) => cell.textContent.trim().replace(/\s+/g, " ");

  const sort = (table, index, direction, numeric) => {
    const sign = direction === "ascending" ? 1 : -1;
    const value = (row) => row.cells[index].dataset.value;
    const compare = (a, b) => (numeric ? Number(a) - Number(b) : collator.compare(a, b));
    const rows = Array.from(table.tBodies[0].rows);
    // What has no value stays last, whichever way the others go.
    rows.sort((a, b) => (value(a) === "") - (value(b) === "") || sign * compare(value(a), value(b)));
    table.tBodies[0].append(...rows);
  };

  const sortable = (table, heads) => {
    heads.forEach((head, index) => {
      const control = button("");
      control.append(...head.childNodes);
      head.append(control);
      control.addEventListener("click", () => {
        const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", direction);
        sort(table, index, direction, head.classList.contains("number"));
      });
    });
  };

  // A control for each axis that has several values here; all of them must agree for a row to stay.
  const filters = (table, heads, labels, changed) => {
    const rows = Array.from(table.tBodies[0].rows);
    const controls = [];
    heads.forEach((head, index) => {
      if (!("filter" in head.dataset)) return;
      const values = Array.from(new Set(rows.map((row) => shown(row.cells[index])))).sort(collator.compare);
      if (values.length < 2 || values.length > MOST_CHOICES) return;
      const choice = element("select", { "data-key": head.dataset.key }, new Option("all", ""));
      // A prefix, so that an empty cell is a choice of its own.
      choice.append(...values.map((value) => new Option(value || "(empty)", `=${value}`)));
      choice.addEventListener("change", () => {
        for (const row of rows)
          row.hidden = controls.some(([other, place]) => other.value && other.value !== `=${shown(row.cells[place])}`);
        changed();
      });
      controls.push([choice, index]);
    });
    return controls.map(([choice, index]) => element("label", {}, element("span", {}, labels[index]), choice));
  };

  const columns = (table, heads, labels) => {
    const boxes = labels.map((label, index) => {
      const box = element("input", { type: "checkbox" });
      box.checked = true;
      box.disabled = index === 0; // the rows' own names
      box.addEventListener("change", () => {
        for (const row of table.rows) row.cells[index].hidden = !box.checked;
      });
      return element("label", {}, box, label);
    });
    const list = element("fieldset", {}, element("legend", {}, "Columns that are shown"), ...boxes);
    return element("details", { class: "columns" }, element("summary", {}, "Columns"), list);
  };

  // What is shown: the rows and columns that are left, in their order; minus signs as programs read them.
  const contents = (table, heads, labels) => {
    const places = heads.map((head, index) => index).filter((index) => !heads[index].hidden);
    const numeric = places.map((index) => heads[index].classList.contains("number"));
    const text = (cell, number) => (number ? shown(cell).replace(/\u2212/g, "-") : shown(cell));
    const rows = Array.from(table.tBodies[0].rows).filter((row) => !row.hidden);
    const cells = rows.map((row) => places.map((index, place) => text(row.cells[index], numeric[place])));
    const best = rows.map((row) => places.map((index) => row.cells[index].classList.contains("best")));
    return { head: places.map((index) => labels[index]), numeric, cells, best };
  };

  const csv = ({ head, numeric, cells }) => {
    // A cell that a spreadsheet would run as a formula is marked as text.
    const safe = (text, number) => (!number && /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text);
    const quoted = (text) => (/[",;\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
    const line = (texts) => texts.map((text, place) => quoted(safe(text, numeric[place]))).join(",");
    return [head, ...cells].map(line).join("\r\n") + "\r\n";
  };

  const latex = ({ head, numeric, cells, best }) => {
    const special = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" };
    const math = { "\u2212": "$-$", "-": "{-}", "±": "$\\pm$", "–": "--", "†": "$\\dagger$", "σ": "$\\sigma$", "∞": "$\\infty$" };
    const one = (char) => special[char] ?? math[char] ?? (/[&%$#_{}]/.test(char) ? `\\${char}` : char === "\u00a0" ? "~" : char);
    const set = (text) => Array.from(text, one).join("");
    const number = (text) => (/^-?[\d.,]+( ± [\d.,]+)?$/.test(text) ? `$${text.replace("±", "\\pm").replace(/,/g, "{,}")}$` : set(text));
    const bold = (text, strong) => (strong ? `\\textbf{${text.replace(/^\$(.*)\$$/, "\\boldmath$$$1$$")}}` : text);
    const rows = cells.map((row, down) =>
      row.map((text, place) => bold((numeric[place] ? number : set)(text), best[down][place])).join(" & "),
    );
    const kinds = numeric.map((is) => (is ? "r" : "l")).join("");
    const lines = ["% needs \\usepackage{booktabs}", `\\begin{tabular}{${kinds}}`, "\\toprule", `${head.map(set).join(" & ")} \\\\`, "\\midrule"];
    return [...lines, ...rows.map((row) => `${row} \\\\`), "\\bottomrule", "\\end{tabular}"].join("\n") + "\n";
  };

  // Where the browser keeps the clipboard to itself, the text is laid out to be copied by hand.
  const copy = async (text, what, say, tools) => {
    tools.querySelector(".by-hand")?.remove();
    try {
      await navigator.clipboard.writeText(text);
      say(`Copied as ${what}`);
    } catch {
      const area = element("textarea", { readonly: "", rows: "6", "aria-label": `The table as ${what}`, spellcheck: "false" });
      const close = button("Close");
      const box = element("div", { class: "by-hand" }, area, close);
      const leave = () => {
        box.remove();
        tools.querySelector(`[data-copy="${what}"]`).focus();
      };
      close.addEventListener("click", leave);
      box.addEventListener("keydown", (event) => event.key === "Escape" && leave());
      area.value = text;
      tools.append(box);
      area.focus();
      area.select();
      say(`The table as ${what} is selected below: copy it`);
    }
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = Array.from(table.tHead.rows[0].cells);
    const labels = heads.map(shown);
    const all = table.tBodies[0].rows.length;
    const count = element("output", { "aria-live": "polite" });
    const visible = () => Array.from(table.tBodies[0].rows).filter((row) => !row.hidden).length;
    const tell = (more = "") => {
      count.textContent = `${visible().toLocaleString("en")} of ${all.toLocaleString("en")} rows${more && `. ${more}`}`;
    };
    const tools = element("div", { class: "tools", role: "group", "aria-label": `Controls: ${shown(table.caption)}` });
    const copies = Object.entries({ CSV: csv, LaTeX: latex }).map(([what, write]) => {
      const control = button(`Copy ${what}`);
      control.dataset.copy = what;
      control.addEventListener("click", () => copy(write(contents(table, heads, labels)), what, tell, tools));
      return control;
    });
    made += 1;
    count.id = `rows-${made}`;
    tools.append(...filters(table, heads, labels, tell), columns(table, heads, labels), ...copies, count);
    sortable(table, heads);
    tell();
    table.closest(".scroll").before(tools);
  }
})();
