"use strict";
(() => {
  const of = (id) => document.getElementById(id);
  const [stage, slider, button, speed, clock] = ["stage", "step", "play", "speed", "clock"].map(of);
  const film = JSON.parse(of("film").textContent);
  const last = film.frames.length - 1;
  let returns = 0;
  const soFar = film.frames.map((frame) => (returns += frame.reward ?? 0));

  const make = (parent, name, attributes) => {
    const element = document.createElementNS(stage.namespaceURI, name);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    return parent.appendChild(element);
  };
  // As tall as the window allows, and no wider than what is shown.
  const [, , width, height] = film.frames[0].view;
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.maxWidth = `calc(70vh * ${width / height})`;

  const under = make(stage, "g", {});
  const discs = film.discs.map(({ radius, side, label }, i) => {
    const group = make(stage, "g", { class: side });
    make(group, "circle", { r: radius, class: "body", "stroke-width": radius / 8 });
    if (film.frames[0].discs[i][2] === null) {
      make(group, "text", { "font-size": radius }).textContent = label;
      return { group };
    }
    group.classList.add("hurt");
    // A ring as long as the health that is left.
    const ring = { r: radius, class: "health", "stroke-width": radius / 4, pathLength: 1, transform: "rotate(-90)" };
    const health = make(group, "circle", ring);
    make(group, "text", { "font-size": radius }).textContent = label;
    return { group, health };
  });

  const show = (step) => {
    const { view, discs: places, lines } = film.frames[step];
    stage.setAttribute("viewBox", view.join(" "));
    discs.forEach(({ group, health }, i) => {
      const [x, y, left] = places[i];
      group.setAttribute("transform", `translate(${x} ${y})`);
      health?.setAttribute("stroke-dasharray", `${left} 1`);
      group.classList.toggle("out", left === 0);
    });
    under.replaceChildren();
    for (const [x1, y1, x2, y2, width, side] of lines) {
      make(under, "line", { x1, y1, x2, y2, "stroke-width": width, class: side });
    }
    const time = film.timed ? `, ${((step * film.period_ms) / 1000).toFixed(2)} s` : "";
    clock.textContent = `step ${step} of ${last}${time}: return ${soFar[step].toFixed(2)} so far`;
    slider.value = step;
  };

  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  };
  const play = () => {
    let [from, since] = [Number(slider.value) < last ? Number(slider.value) : 0, performance.now()];
    stop();
    button.textContent = "Pause";
    timer = setInterval(() => {
      const passed = ((performance.now() - since) * Number(speed.value)) / film.period_ms;
      show(Math.min(from + Math.floor(passed), last));
      if (from + passed >= last) stop();
    }, 16);
  };
  const toggle = () => (timer === null ? play() : stop());
  const go = (step) => {
    stop();
    show(Math.max(0, Math.min(step, last)));
  };

  button.addEventListener("click", toggle);
  slider.addEventListener("input", () => go(Number(slider.value)));
  speed.addEventListener("change", () => timer !== null && play());
  document.addEventListener("keydown", (event) => {
    const keys = { " ": toggle, ArrowLeft: () => go(Number(slider.value) - 1), ArrowRight: () => go(Number(slider.value) + 1) };
    if (!(event.key in keys) || event.target.closest("select, button") || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  // #12 is step 12, #play plays.
  const follow = () => (location.hash === "#play" ? play() : go(Number(location.hash.slice(1)) || 0));
  addEventListener("hashchange", follow);
  follow();
})();
