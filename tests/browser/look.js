// Looks at a page as a careful reader does, and returns an array of sentences about what is wrong with it.
// `phase` is "first", as the page comes, or "unfolded", with all its folded parts open.
(phase) => {
  "use strict";
  const wrong = [];
  const LARGE = 24, LARGE_BOLD = 18.66; // pixels; WCAG 2.2, 1.4.3
  const AT_MOST = 5; // sentences of one kind

  const name = (element) => {
    const words = (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 60);
    const classes = element.classList.length ? `.${[...element.classList].join(".")}` : "";
    return `<${element.localName}${element.id ? `#${element.id}` : ""}${classes}> ${JSON.stringify(words)}`;
  };
  const say = (sentences) => {
    wrong.push(...sentences.slice(0, AT_MOST));
    if (sentences.length > AT_MOST) wrong.push(`... and ${sentences.length - AT_MOST} more like this`);
  };
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true });
  const parents = function* (element) {
    for (let each = element; each; each = each.parentElement) yield each;
  };

  function outline() {
    if (!document.title.trim()) wrong.push("the page has no title");
    if (!document.documentElement.lang) wrong.push("the page does not say its language");
    const heads = document.querySelectorAll("h1");
    if (heads.length !== 1) wrong.push(`the page has ${heads.length} <h1>`);
    const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
    say([...new Set(ids.filter((id, at) => ids.indexOf(id) !== at))].map((id) => `two elements have the id ${id}`));
    const inside = [...document.querySelectorAll('a[href^="#"]')].map((each) => each.getAttribute("href").slice(1));
    say(
      [...new Set(inside)]
        .filter((id) => id && !document.getElementById(decodeURIComponent(id)))
        .map((id) => `a link leads to #${id}, which is not on the page`)
    );
    const fields = [...document.querySelectorAll("input:not([type=hidden]), select, textarea, button")];
    say(
      fields
        .filter((each) => ![each.labels?.[0]?.textContent, each.ariaLabel, each.textContent].some((text) => text?.trim()))
        .map((each) => `a field has no label: ${each.outerHTML.slice(0, 120)}`)
    );
  }

  function width() {
    const page = document.documentElement;
    if (page.scrollWidth > innerWidth) {
      const beyond = [...document.body.querySelectorAll("*")].filter(
        (each) => isShown(each) && each.getBoundingClientRect().right > innerWidth + 1
      );
      wrong.push(`the page is ${page.scrollWidth} pixels wide in a window of ${innerWidth}`);
      say(beyond.map((each) => `beyond the window: ${name(each)}`));
    }
    const broken = [...document.images].filter((each) => !(each.complete && each.naturalWidth));
    say(broken.map((each) => `a picture is not shown: ${each.src.slice(0, 120)}`));
    const fits = (element) => {
      const { right } = element.getBoundingClientRect();
      for (const each of parents(element.parentElement)) {
        const room = each.getBoundingClientRect().left + each.clientLeft + each.clientWidth;
        if (right <= room + 1) continue;
        const { overflowX } = getComputedStyle(each);
        if (overflowX === "auto" || overflowX === "scroll") return true;
        if (overflowX === "hidden" || overflowX === "clip") return false;
      }
      return right <= innerWidth + 1;
    };
    const large = [...document.querySelectorAll("table, img, svg, pre")].filter(isShown);
    say(large.filter((each) => !fits(each)).map((each) => `it is cut off at the right: ${name(each)}`));
  }

  // Words of the project's own, such as malformed_content_type, are of the class `word`; ids and names may break.
  const WORD = /\w+/g;
  function words() {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    const broken = new Map();
    while (texts.nextNode()) {
      const text = texts.currentNode;
      const element = text.parentElement;
      if (!element.closest(".word") || !isShown(element)) continue;
      for (const { 0: word, index } of text.data.matchAll(WORD)) {
        range.setStart(text, index);
        range.setEnd(text, index + word.length);
        const lines = new Set([...range.getClientRects()].map((each) => Math.round(each.top)));
        if (lines.size > 1) broken.set(word, element);
      }
    }
    say([...broken].map(([word, element]) => `a word is broken, ${JSON.stringify(word)}: ${name(element)}`));
  }

  // A stack is several tables, one for each run of frames.
  function columns() {
    for (const stack of document.querySelectorAll(".stack")) {
      for (const column of ["number", "function", "source", "module"]) {
        const cells = [...stack.querySelectorAll(`.frames tbody tr:not(.inlined) .${column}`)].filter(isShown);
        const lefts = new Set(cells.map((each) => Math.round(each.getBoundingClientRect().left)));
        if (lefts.size > 1) wrong.push(`the column ${column} of a stack begins at ${[...lefts].join(" and ")} pixels`);
      }
    }
  }

  // Colours are [red, green, blue, alpha], the first three from 0 to 255.
  const OPAQUE_WHITE = [255, 255, 255, 1];
  function colour(text) {
    const numbers = (text.match(/-?[\d.]+(?:e-?\d+)?/g) || []).map(Number);
    if (text.startsWith("rgb")) return [numbers[0], numbers[1], numbers[2], numbers[3] ?? 1];
    if (text.startsWith("color(srgb ")) return [...numbers.slice(0, 3).map((each) => each * 255), numbers[3] ?? 1];
    throw new Error(`cannot read the colour ${text}`);
  }
  const over = (upper, lower) => [
    ...[0, 1, 2].map((at) => upper[at] * upper[3] + lower[at] * (1 - upper[3])),
    1,
  ];
  const luminance = (rgb) => {
    const [red, green, blue] = rgb.slice(0, 3).map((each) => {
      const part = each / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ratio = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  function contrastOf(element) {
    const style = getComputedStyle(element);
    const layers = [...parents(element)].map((each) => getComputedStyle(each));
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : OPAQUE_WHITE;
    const ground = layers.reduceRight((below, each) => over(colour(each.backgroundColor), below), canvas);
    const opacity = layers.reduce((all, each) => all * Number(each.opacity), 1);
    const ink = colour(element instanceof SVGElement ? style.fill : style.color);
    return ratio(over([...ink.slice(0, 3), ink[3] * opacity], ground), ground);
  }
  function contrast() {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const seen = new Set();
    const pale = new Map();
    while (texts.nextNode()) {
      const element = texts.currentNode.parentElement;
      if (!texts.currentNode.data.trim() || seen.has(element)) continue;
      seen.add(element);
      if (!isShown(element) || element.closest("[disabled], option, title, script, style")) continue;
      const style = getComputedStyle(element);
      const size = parseFloat(style.fontSize);
      const isLarge = size >= LARGE || (size >= LARGE_BOLD && Number(style.fontWeight) >= 700);
      const found = contrastOf(element);
      // One sentence for each pair of colours.
      if (found < (isLarge ? 3 : 4.5)) pale.set(`${style.color} ${found.toFixed(2)}`, element);
    }
    say([...pale].map(([words, element]) => `hard to read, contrast ${words}: ${name(element)}`));
  }

  if (phase === "unfolded") for (const each of document.querySelectorAll("details")) each.open = true;
  outline();
  width();
  words();
  columns();
  contrast();
  return wrong;
}
