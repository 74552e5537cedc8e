// audit lists the faults of the page that is shown: contrast (WCAG 2.2 §1.4.3, §1.4.11),
// names of controls (§4.1.2) and their size (§2.5.8), width (§1.4.10), and elements that
// each page must have.
(() => {
  const faults = [];
  const fault = (e, text) => faults.push((e.id ? "#" + e.id : e.tagName.toLowerCase() + "." + e.className) + ": " + text);
  const shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true });

  // parse makes [r, g, b, a] of whatever the browser calls a colour.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  function parse(color) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  }
  const over = ([r, g, b, a], below) => [r, g, b].map((v, i) => v * a + below[i] * (1 - a));
  function ground(e) {
    if (!e) return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
    const color = parse(getComputedStyle(e).backgroundColor);
    return color[3] === 1 ? color.slice(0, 3) : over(color, ground(e.parentElement));
  }
  function luminance(color) {
    const [r, g, b] = color.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function contrast(a, b) {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  }
  function readable(e, style, what) {
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const below = ground(e), ratio = contrast(over(parse(style.color), below), below);
    if (ratio < (large ? 3 : 4.5)) fault(e, `contrast ${ratio.toFixed(2)} of ${what}`);
  }

  // inText reports a link in a line of text, whose height is that of the line.
  const inText = (e) => e.localName === "a" && getComputedStyle(e).display === "inline" && e.textContent.trim() !== e.parentElement.textContent.trim();

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement, text = texts.currentNode.data.trim();
    if (text && shown(e) && !e.closest(":disabled, script, style, noscript")) readable(e, getComputedStyle(e), text.slice(0, 30));
  }
  for (const e of document.querySelectorAll("input:not([type=file], [type=hidden]), textarea, select")) {
    if (!shown(e)) continue;
    readable(e, getComputedStyle(e), "what is typed");
    if (e.placeholder) readable(e, getComputedStyle(e, "::placeholder"), "the placeholder");
    const around = ground(e.parentElement), edge = getComputedStyle(e);
    const best = Math.max(contrast(ground(e), around), contrast(over(parse(edge.borderTopColor), around), around));
    if (best < 3) fault(e, `its edge has contrast ${best.toFixed(2)}`);
  }
  for (const e of document.querySelectorAll("input:not([type=hidden]), textarea, select")) {
    if (!e.labels.length && !e.ariaLabel) fault(e, "no label");
  }
  for (const e of document.querySelectorAll("button, a[href]")) {
    if (!e.textContent.trim() && !e.ariaLabel && !e.querySelector("img[alt]:not([alt=''])")) fault(e, "no name");
  }
  for (const e of document.querySelectorAll("button, summary, input, textarea, select, a[href]")) {
    if (!shown(e) || inText(e)) continue;
    const { width, height } = (e.closest("label") || e).getBoundingClientRect();
    if (width < 24 || height < 24) fault(e, `only ${width.toFixed(1)} × ${height.toFixed(1)} px to touch`);
  }
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) faults.push("the page scrolls sideways");
  for (const e of document.querySelectorAll("body *")) {
    if (shown(e) && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1) fault(e, "beyond the right edge");
  }

  const need = ["html[lang]", "title:not(:empty)", "meta[name=viewport]", "link[rel=icon]",
    "[aria-live], [role=log], [role=status], [role=alert], output, h1[tabindex]"]; // what changes is read out, or has the focus
  for (const selector of need) if (!document.querySelector(selector)) faults.push("no " + selector);
  if (![...document.querySelectorAll("h1")].some(shown)) faults.push("no heading is shown");
  return faults;
})()
