"use strict";
// The explorer walks over pictures that were decoded when the report was made: it shows one of them, blends none.
(() => {
  const root = document.getElementById("explorer-controls");
  if (!root) return;
  const at = (name) => root.querySelector(`[data-part="${name}"]`);
  const [model, from, to, dimension, across, down] = ["model", "from", "to", "dimension", "across", "down"].map(at);
  const [picture, map, says] = ["picture", "map", "says"].map(at);
  const views = Array.from(root.querySelectorAll("input[type=radio]"));
  const sheets = Array.from(document.querySelectorAll("#explorer-sheets .sheets"), (one) =>
    Object.fromEntries(
      Array.from(one.querySelectorAll("img"), (image) => {
        const { kind, facts, height, width } = image.dataset;
        return [kind, { image, height: Number(height), width: Number(width), ...JSON.parse(facts) }];
      }),
    ),
  );
  const MAP = {
    plane: "Map of the plane: the arrow keys move the point, as the two sliders do",
    walk: "The way: the arrow keys to the left and right move along it, as the slider does",
    dimension: "The dimension's values: the arrow keys to the left and right move along them, as the slider does",
  };
  let kind = "";

  const sheet = () => sheets[model.value][kind];
  const fill = (select, texts, chosen) => {
    select.replaceChildren(...texts.map((text, index) => new Option(text, index)));
    select.selectedIndex = chosen;
  };
  const slide = (slider, steps, value) => {
    slider.max = steps - 1;
    slider.value = value;
  };

  // The sheet's row, its column for each step of the slider, and the words for the step chosen.
  const place = () => {
    const { columns, rows, names } = sheet();
    const step = Number(across.value);
    const forth = (at) => at;
    if (kind === "plane") {
      const row = rows.length - 1 - Number(down.value); // upwards on the slider is upwards in the plane
      across.setAttribute("aria-valuetext", `z1 = ${columns[step]}`);
      down.setAttribute("aria-valuetext", `z2 = ${rows[row]}`);
      return { row, column: forth, words: `z1 = ${columns[step]}, z2 = ${rows[row]}` };
    }
    if (kind === "dimension") {
      const row = Number(dimension.value);
      const words = `${rows[row].split(" ")[0]} = ${columns[step]}`;
      across.setAttribute("aria-valuetext", words);
      return { row, column: forth, words };
    }
    const [first, last] = [Number(from.value), Number(to.value)];
    const words = `${columns[step]} of the way from ${names[first]} to ${names[last]}`;
    across.setAttribute("aria-valuetext", words);
    const row = rows.findIndex((ends) => ends.includes(first) && ends.includes(last));
    const end = rows[row][0] === first ? 0 : columns.length - 1;
    // From a class to itself there is no way: its example, the end of some path.
    if (first === last) return { row, column: () => end, words };
    // A walk back is the walk there, read from its end.
    return { row, column: (at) => Math.abs(end - at), words };
  };

  const draw = () => {
    const { image, height, width, columns, rows } = sheet();
    const { row, column, words } = place();
    const step = Number(across.value);
    picture.width = width;
    picture.height = height;
    picture.getContext("2d").drawImage(image, column(step) * width, row * height, width, height, 0, 0, width, height);
    says.textContent = words;
    picture.setAttribute("aria-label", `Decoded picture at ${words}`);
    // The plane whole, of other sheets the row; whole steps of enlargement keep every pixel square.
    const lines = kind === "plane" ? rows.map((_, index) => index) : [row];
    const [wide, high] = [width, height].map((side) => side * Math.max(1, Math.round(480 / (columns.length * width))));
    map.width = columns.length * wide;
    map.height = lines.length * high;
    const pen = map.getContext("2d");
    pen.imageSmoothingEnabled = false;
    lines.forEach((line, y) =>
      columns.forEach((_, x) => pen.drawImage(image, column(x) * width, line * height, width, height, x * wide, y * high, wide, high)),
    );
    for (const [colour, line] of [["#000", 6], ["#fff", 3]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = line;
      pen.strokeRect(step * wide, lines.indexOf(row) * high, wide, high);
    }
  };

  const labelled = (slider, text) => {
    slider.closest("label").querySelector("span").textContent = text;
  };

  const enter = (wanted) => {
    kind = wanted;
    const { columns, rows, names, start } = sheet();
    for (const view of views) view.checked = view.value === kind;
    for (const one of root.querySelectorAll("[data-for]")) one.hidden = !one.dataset.for.split(" ").includes(kind);
    slide(across, columns.length, start[1]);
    map.setAttribute("aria-label", MAP[kind]);
    labelled(across, { plane: "z1", walk: "Position", dimension: "Value" }[kind]);
    if (kind === "plane") slide(down, rows.length, rows.length - 1 - start[0]);
    if (kind === "walk") {
      fill(from, names, rows[0][0]);
      fill(to, names, rows[0][1]);
    }
    if (kind === "dimension") fill(dimension, rows, 0);
    draw();
  };

  const choose = async () => {
    const known = sheets[model.value];
    root.ariaBusy = "true";
    for (const { image } of Object.values(known)) image.loading = "eager";
    await Promise.all(Object.values(known).map(({ image }) => image.decode()));
    if (known !== sheets[model.value]) return; // another was chosen meanwhile
    for (const view of views) view.closest("label").hidden = !(view.value in known);
    enter(kind in known ? kind : Object.keys(known)[0]);
    root.ariaBusy = "false";
  };

  const step = (slider, by) => {
    slider.value = Number(slider.value) + by;
    draw();
  };
  const moves = { ArrowLeft: [across, -1], ArrowRight: [across, 1], ArrowDown: [down, -1], ArrowUp: [down, 1] };

  for (const slider of [across, down]) slider.addEventListener("input", draw);
  for (const select of [from, to, dimension]) select.addEventListener("change", draw);
  for (const view of views) view.addEventListener("change", () => enter(view.value));
  model.addEventListener("change", choose);
  map.addEventListener("keydown", (event) => {
    if (!(event.key in moves) || (kind !== "plane" && moves[event.key][0] === down)) return;
    event.preventDefault();
    step(...moves[event.key]);
  });
  map.addEventListener("click", (event) => {
    const { columns, rows } = sheet();
    const box = map.getBoundingClientRect();
    const share = (offset, size, steps) => Math.min(steps - 1, Math.max(0, Math.floor((offset / size) * steps)));
    across.value = share(event.clientX - box.left, box.width, columns.length);
    if (kind === "plane") down.value = rows.length - 1 - share(event.clientY - box.top, box.height, rows.length);
    draw();
  });

  choose().then(() => {
    document.getElementById("explorer-sheets").open = false;
    root.hidden = false;
  });
})();
