// The Markdown of a summary -> a page that looks like GitHub's, on standard output.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { marked } from "marked";

const markdown = readFileSync(process.argv[2], "utf8");
const mermaid = pathToFileURL(`${import.meta.dirname}/node_modules/mermaid/dist/mermaid.min.js`);
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
marked.use({
  gfm: true,
  renderer: {
    code: ({ text, lang }) =>
      lang === "mermaid" ? `<pre class="mermaid">${escaped(text)}</pre>` : `<pre><code>${escaped(text)}</code></pre>`,
  },
});

process.stdout.write(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title></title><style>
  body { margin: 0; padding: 16px; background: #f6f8fa; color: #1f2328;
         font: 14px/1.5 "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif; }
  main { background: #fff; border: 1px solid #d1d9e0; border-radius: 6px; }
  header { padding: 12px 16px; border-bottom: 1px solid #d1d9e0; font-weight: 600; }
  header small { color: #59636e; font-weight: 400; }
  article { padding: 16px 24px; }
  h3 { font-size: 1.25em; margin: 8px 0 16px; } h4 { font-size: 1em; margin: 24px 0 12px; }
  p, table, pre, details { margin: 0 0 16px; }
  table { border-collapse: collapse; display: block; width: max-content; max-width: 100%; }
  th, td { border: 1px solid #d1d9e0; padding: 6px 13px; } th { font-weight: 600; } thead:not(:has(th:not(:empty))) { display: none; }
  tbody tr:nth-child(even) { background: #f6f8fa; }
  code { background: #818b981f; border-radius: 6px; padding: .2em .4em;
         font: 12px/1.45 "SFMono-Regular", "Liberation Mono", "DejaVu Sans Mono", monospace; }
  pre { background: #f6f8fa; border-radius: 6px; padding: 16px; overflow: hidden; } pre code { background: none; padding: 0; }
  pre.mermaid { background: none; padding: 0; }
</style></head><body><main>
<header>image <small>summary</small></header>
<article>${marked.parse(markdown)}</article></main>
<script src="${mermaid}"></script>
<script>
  mermaid.initialize({ startOnLoad: false, fontFamily: "Liberation Sans, DejaVu Sans, sans-serif" });
  mermaid.run().finally(() => { document.title = Math.ceil(document.body.getBoundingClientRect().height); });
</script></body></html>
`);
