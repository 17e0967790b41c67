// The bundle: node build.mjs [FOLDER], web/dist without one. The same sources and pins give the same bytes, which
// `./dev lint web` checks. Versions and notices of what is bundled go with it.
import { readFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = process.argv[2] ?? join(here, "dist");
const { dependencies } = JSON.parse(await readFile(join(here, "package.json"), "utf8"));

const notices = await Promise.all(
  Object.entries(dependencies).map(async ([name, version]) => {
    const folder = join(here, "node_modules", name);
    const { license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const text = await readFile(join(folder, "LICENSE"), "utf8");
    return { line: `${name} ${version} (${license})`, text: `${name} ${version}\n\n${text.trim()}\n` };
  }),
);

await build({
  absWorkingDir: here,
  entryPoints: { report: "src/main.js" },
  outfile: join(out, "report.js"),
  banner: { js: `/* with ${notices.map((n) => n.line).join(", ")} */` },
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome100", "firefox100", "safari15"],
  charset: "ascii",
  legalComments: "none",
});
await build({
  absWorkingDir: here,
  entryPoints: ["src/report.css"],
  outfile: join(out, "report.css"),
  bundle: true,
  minify: true,
  charset: "ascii",
  legalComments: "none",
});
await mkdir(out, { recursive: true });
await writeFile(join(out, "LICENSES.txt"), notices.map((n) => n.text).join("\n---\n\n"));
