"use strict";
// Progressive enhancement: without this script the tables are complete, only without their controls.
(() => {
  const collator = new Intl.Collator(undefined, { numeric: true });
  const MOST_CHOICES = 60;
  const STEP = 100; // rows that are drawn at a time
  let made = 0;

  const element = (tag, attributes = {}, ...children) => {
    const one = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
    one.append(...children);
    return one;
  };
  const button = (text) => element("button", { type: "button" }, text);
  const shown = (cell) => cell.textContent.trim().replace(/\s+/g, " ");

  // A browser lays every row of a table out, seen or not; one of many rows waits where that costs nothing.
  const unpack = (waiting) => {
    const parsed = element("template");
    parsed.innerHTML = waiting.textContent;
    const table = parsed.content.querySelector("table");
    const rows = Array.from(table.tBodies[0].rows);
    table.tBodies[0].replaceChildren();
    waiting.replaceWith(table);
    return rows;
  };

  // All rows of a table, those that the filters leave, and the first of these in the page: as far as was looked.
  const rowsOf = (table, all) => {
    const body = table.tBodies[0];
    const more = button("");
    const place = element("p", { class: "further" }, more);
    let kept = all;
    let drawn = STEP;
    const draw = (number) => {
      drawn = number;
      body.replaceChildren(...kept.slice(0, drawn));
      place.hidden = kept.length <= drawn;
      more.textContent = `Show more rows: ${drawn.toLocaleString("en")} of ${kept.length.toLocaleString("en")} are shown`;
      if (all.length > STEP) table.setAttribute("aria-rowcount", kept.length + 1);
    };
    if (all.length > STEP) {
      table.closest(".scroll").after(place);
      const further = () => draw(drawn + STEP);
      more.addEventListener("click", further);
      const seen = new IntersectionObserver(
        (entries) => {
          if (!entries.at(-1).isIntersecting) return;
          further();
          // Still in sight, it would not be told of again.
          seen.unobserve(place);
          seen.observe(place);
        },
        { rootMargin: "50%" },
      );
      seen.observe(place);
      // What prints or searches the page wants it whole.
      addEventListener("beforeprint", () => draw(kept.length));
      addEventListener("keydown", (event) => {
        if (event.key === "F3" || ((event.ctrlKey || event.metaKey) && event.key === "f")) draw(kept.length);
      });
      draw(STEP);
    }
    return {
      all,
      kept: () => kept,
      keep: (wanted) => {
        kept = all.filter(wanted);
        draw(STEP);
      },
      sort: (compare) => {
        all.sort(compare);
        kept.sort(compare);
        draw(STEP);
      },
    };
  };

  const sort = (rows, index, direction, numeric) => {
    const sign = direction === "ascending" ? 1 : -1;
    const value = (row) => row.cells[index].dataset.value;
    const compare = (a, b) => (numeric ? Number(a) - Number(b) : collator.compare(a, b));
    // What has no value stays last, whichever way the others go.
    rows.sort((a, b) => (value(a) === "") - (value(b) === "") || sign * compare(value(a), value(b)));
  };

  const sortable = (rows, heads) => {
    heads.forEach((head, index) => {
      const control = button("");
      control.append(...head.childNodes);
      head.append(control);
      control.addEventListener("click", () => {
        const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", direction);
        sort(rows, index, direction, head.classList.contains("number"));
      });
    });
  };

  // A control for each axis that has several values here; all of them must agree for a row to stay.
  const filters = (rows, heads, labels, changed) => {
    const controls = [];
    heads.forEach((head, index) => {
      if (!("filter" in head.dataset)) return;
      const values = Array.from(new Set(rows.all.map((row) => shown(row.cells[index])))).sort(collator.compare);
      if (values.length < 2 || values.length > MOST_CHOICES) return;
      const choice = element("select", { "data-key": head.dataset.key }, new Option("all", ""));
      // A prefix, so that an empty cell is a choice of its own.
      choice.append(...values.map((value) => new Option(value || "(empty)", `=${value}`)));
      choice.addEventListener("change", () => {
        rows.keep((row) => controls.every(([other, at]) => !other.value || other.value === `=${shown(row.cells[at])}`));
        changed();
      });
      controls.push([choice, index]);
    });
    return controls.map(([choice, index]) => element("label", {}, element("span", {}, labels[index]), choice));
  };

  const columns = (rows, heads, labels) => {
    const boxes = labels.map((label, index) => {
      const box = element("input", { type: "checkbox" });
      box.checked = true;
      box.disabled = index === 0; // the rows' own names
      box.addEventListener("change", () => {
        for (const cell of [heads[index], ...rows.all.map((row) => row.cells[index])]) cell.hidden = !box.checked;
      });
      return element("label", {}, box, label);
    });
    const list = element("fieldset", {}, element("legend", {}, "Columns that are shown"), ...boxes);
    return element("details", { class: "columns" }, element("summary", {}, "Columns"), list);
  };

  // What is shown: the rows and columns that are left, in their order; minus signs as programs read them.
  const contents = (rows, heads, labels) => {
    const places = heads.map((head, index) => index).filter((index) => !heads[index].hidden);
    const numeric = places.map((index) => heads[index].classList.contains("number"));
    const text = (cell, number) => (number ? shown(cell).replace(/\u2212/g, "-") : shown(cell));
    const cells = rows.kept().map((row) => places.map((index, place) => text(row.cells[index], numeric[place])));
    const best = rows.kept().map((row) => places.map((index) => row.cells[index].classList.contains("best")));
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

  for (const box of document.querySelectorAll(".scroll:has(.sortable), .scroll:has(noscript)")) {
    const waiting = box.querySelector("noscript");
    const found = waiting && unpack(waiting);
    const table = box.querySelector("table");
    const rows = rowsOf(table, found ?? Array.from(table.tBodies[0].rows));
    const heads = Array.from(table.tHead.rows[0].cells);
    const labels = heads.map(shown);
    const count = element("output", { "aria-live": "polite" });
    const tell = (more = "") => {
      const [left, whole] = [rows.kept().length, rows.all.length].map((number) => number.toLocaleString("en"));
      count.textContent = `${left} of ${whole} rows${more && `. ${more}`}`;
    };
    const tools = element("div", { class: "tools", role: "group", "aria-label": `Controls: ${shown(table.caption)}` });
    const copies = Object.entries({ CSV: csv, LaTeX: latex }).map(([what, write]) => {
      const control = button(`Copy ${what}`);
      control.dataset.copy = what;
      control.addEventListener("click", () => copy(write(contents(rows, heads, labels)), what, tell, tools));
      return control;
    });
    made += 1;
    count.id = `rows-${made}`;
    tools.append(...filters(rows, heads, labels, tell), columns(rows, heads, labels), ...copies, count);
    sortable(rows, heads);
    tell();
    box.before(tools);
  }
})();
