// The studio's pictures: the result under its slider, or the picture as it forms, and the history below.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** The slider is new HTML for each result. It stays where the reader had put it; at first all is "after". */
function showResult(stage, html) {
  const at = stage.querySelector("form")?.style.getPropertyValue("--at") || "0%";
  stage.innerHTML = html;
  const form = stage.querySelector("form");
  form?.style.setProperty("--at", at);
  const input = form?.querySelector("input[type=range]");
  if (input) input.value = parseFloat(at);
}

function thumbnail({ src, label }, number, model) {
  const button = element("button", { type: "button", title: `Back to: ${label}`, "aria-label": `Back to: ${label}` });
  button.append(element("img", { src, alt: "" }));
  button.addEventListener("click", () => model.send({ restore: number }));
  return button;
}

/** In the studio, keys belong to the control that has the focus; Esc gives them back to the notebook. */
function keepKeys() {
  const listening = new AbortController();
  const listen = (name, act) => document.addEventListener(name, ({ target, key }) => {
    if (target.closest?.(".onr-studio") && !target.closest(".onr-editor")) act(target, key);
  }, { capture: true, signal: listening.signal });
  // JupyterLab looks for this from the focused element upwards, and its shortcuts match there.
  listen("focusin", (target) => target.setAttribute("data-lm-suppress-shortcuts", "true"));
  listen("keydown", (target, key) => {
    if (key !== "Escape") return;
    target.blur();
    target.closest(".onr-studio").parentElement.closest("[tabindex]")?.focus({ preventScroll: true });
  });
  return () => listening.abort();
}

export default {
  render({ model, el }) {
    const result = element("div", { class: "onr-result" });
    const forming = element("img", { class: "onr-forming", alt: "The picture as it forms" });
    const progress = element("progress", { max: 1, "aria-label": "How far the edit is" });
    const message = element("p", { class: "onr-words", role: "status" });
    const strip = element("div", { class: "onr-strip", role: "group", "aria-label": "History, newest first" });
    el.classList.add("onr-gallery");
    el.append(element("div", { class: "onr-show" }, result, forming), progress, message, strip);

    const update = {
      _html: (html) => showResult(result, html),
      _forming(src) {
        forming.hidden = !src;
        if (src) forming.src = src;
        else forming.removeAttribute("src");
      },
      progress(share) {
        progress.style.visibility = share < 0 ? "hidden" : "visible";
        progress.value = Math.max(0, share);
        el.dataset.running = share >= 0;
      },
      message: (words) => { message.textContent = words; },
      wrong: (wrong) => message.classList.toggle("onr-wrong", wrong),
      _thumbnails(all) {
        strip.replaceChildren(...all.map((each, number) => thumbnail(each, number, model)).reverse());
        update.shown(model.get("shown"));
      },
      shown(number) {
        [...strip.children].reverse().forEach((button, i) => button.setAttribute("aria-pressed", i === number));
        el.dataset.shown = number;
      },
    };
    const listeners = Object.entries(update).map(([name, show]) => {
      const listener = () => show(model.get(name));
      listener();
      model.on(`change:${name}`, listener);
      return () => model.off(`change:${name}`, listener);
    });
    const cleanUp = [...listeners, keepKeys()];
    return () => cleanUp.forEach((stop) => stop());
  },
};
