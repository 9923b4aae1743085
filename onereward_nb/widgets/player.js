// All players that are not running yet: `document.currentScript` is not the same thing in every notebook.
for (const player of document.querySelectorAll(".onr-player:not([data-ready])")) {
  player.dataset.ready = "";
  const frames = [...player.querySelectorAll("img")];
  const [button, range, label] = player.querySelector(".onr-controls").children;
  let timer = null;

  const show = (index) => {
    range.value = index;
    frames.forEach((frame, i) => frame.toggleAttribute("data-shown", i === Number(range.value)));
    label.textContent = frames[range.value].alt;
    range.setAttribute("aria-valuetext", label.textContent);
  };
  const atEnd = () => range.value === range.max;
  const pause = () => {
    clearInterval(timer);
    timer = null;
    button.ariaLabel = "Play";
  };
  const play = () => {
    if (atEnd()) show(0);
    button.ariaLabel = "Pause";
    timer = setInterval(() => {
      show(Number(range.value) + 1);
      if (atEnd()) pause();
    }, 1000 / player.dataset.fps);
  };

  button.onclick = () => (timer ? pause() : play());
  range.oninput = () => {
    pause();
    show(range.value);
  };
  player.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      pause();
      show(Number(range.value) + step);
    } else if (event.key === " " && event.target !== button) {
      button.click();
    } else {
      return; // a button answers to the space bar by itself, a slider to the other keys
    }
    event.preventDefault();
  };

  show(range.max);
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      if (!timer && atEnd()) play(); // unless the reader was quicker
    }, { threshold: 0.5 }).observe(player);
  }
}
