#!/usr/bin/env node
// Quern beside llama.cpp on the same files, same threads, same prompt and token counts, in one run: the two alternate, so that whatever else the machine does
// meets both. Prints medians (minimum–maximum), the ratio of the medians, and the machine's own limits, as a Markdown table. Tokens are measured behind the prompt.
//
//   node benchmarks/peers/compare.mjs MODEL.gguf… [-p 512] [-n 64] [-s 1] [-t 2] [-r 5] [--without sapphirerapids,zen4] [--folder DIR] [--int8]
//
// With -s 16 sixteen sequences generate at once behind prompts of -p tokens each, and only their speed together is compared.
// Models come from tools/ModelMaker (random weights time like trained ones). llama.cpp comes from npm's node-llama-cpp, installed into --folder (a folder beside the
// system's temporary files by default); --int8 has Quern read prompts with `--prompt int8` too, and says how far off that is; --without removes back ends from that copy, so that llama.cpp falls back to the next: without sapphirerapids it has no AMX.
// Quern must be built: dotnet build Runtime.sln -c Release.
import {execFileSync} from "node:child_process";
import {existsSync, mkdirSync, readdirSync, rmSync, statSync} from "node:fs";
import {basename, dirname, join, resolve} from "node:path";
import {fileURLToPath} from "node:url";
import {cpus, tmpdir} from "node:os";

const here = dirname(fileURLToPath(import.meta.url)), root = resolve(here, "../..");
const options = {p: "512", n: "64", s: "1", t: "2", r: "5", without: "", folder: join(tmpdir(), "quern-peer")}, models = [];
for (let i = 2; i < process.argv.length; i++) {
  if (process.argv[i] === "--int8") {
    options.int8 = true;
    continue;
  }
  const name = process.argv[i].match(/^--?(p|n|s|t|r|without|folder)$/)?.[1];
  if (name) options[name] = process.argv[++i];
  else models.push(process.argv[i]);
}
if (models.length === 0) {
  console.error("compare.mjs: no model; usage: compare.mjs MODEL.gguf… [-p 512] [-n 64] [-s 1] [-t 2] [-r 5] [--without BACKEND,…]");
  process.exit(2);
}

const run = (file, args, env = {}) => execFileSync(file, args, {encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], env: {...process.env, ...env}, maxBuffer: 1 << 26});
if (!existsSync(join(options.folder, "node_modules/node-llama-cpp"))) {
  mkdirSync(options.folder, {recursive: true});
  console.error("installing node-llama-cpp…");
  execFileSync("npm", ["install", "--ignore-scripts", "--prefix", options.folder, "node-llama-cpp"], {stdio: "ignore"});
}
const bins = join(options.folder, "node_modules/@node-llama-cpp/linux-x64/bins");
for (const backend of options.without.split(",").filter(Boolean))
  for (const folder of readdirSync(bins)) rmSync(join(bins, folder, `libggml-cpu-${backend}.so`), {force: true});

const median = values => values.toSorted((a, b) => a - b)[values.length >> 1];
const show = (values, digits) => `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;
const quern = join(root, "src/Cli/bin/Release/net10.0/quern.dll"), bench = join(root, "benchmarks/bin/Release/net10.0/Quern.Benchmarks.dll");
const limits = () => JSON.parse(run("dotnet", [bench, "limits", options.t]));
const alone = options.s === "1", row = (...cells) => console.log(`| ${cells.join(" | ")} |`);
let peerVersion = "", system = "", hasHead = false;
for (const model of models) {
  const before = limits(), pp = {quern: [], int8: [], peer: []}, tg = {quern: [], peer: []};
  for (let round = 0; round < +options.r; round++) {
    console.error(`${basename(model)}: round ${round + 1} of ${options.r}`);
    const peer = JSON.parse(run("node", [join(here, "peer.mjs"), resolve(model), options.p, options.n, options.t, options.s], {PEER_FOLDER: options.folder}).trim().split("\n").at(-1));
    [peerVersion, system] = [peer.version, peer.system];
    pp.peer.push(peer.pp);
    tg.peer.push(peer.tg);
    const own = (...args) => JSON.parse(run("dotnet", [quern, "bench", "-m", model, "-t", options.t, "-r", "1", "-o", "json", ...args]))[0];
    if (alone) pp.quern.push(own("-p", options.p, "-n", "0").median_ts);
    if (alone && options.int8) {
      const rounded = own("-p", options.p, "-n", "0", "--prompt", "int8");
      pp.int8.push(rounded.median_ts);
      pp.error = rounded.prompt_error;
    }
    tg.quern.push(own("-p", "0", "-n", options.n, "-d", options.p, "-s", options.s).median_ts);
  }
  // A row as soon as it is known, so that a run that is cut off has told something.
  const after = limits(), read = (before.readGBs + after.readGBs) / 2, name = basename(model);
  if (!hasHead) {
    hasHead = true;
    console.log(`Processor: ${cpus()[0].model}, ${options.t} threads, Quern on ${before.isa}. Peer: llama.cpp in node-llama-cpp ${peerVersion}${options.without ? ` without ${options.without}` : ""}; it says: ${system}`);
    console.log(`Limits before the first model: f32 multiply-add ${before.fmaGflops} GFLOP/s${before.byteGops ? `, byte products ${before.byteGops} Gop/s` : ""}${before.tileGflops ? `, bfloat16 tiles ${before.tileGflops} GFLOP/s` : ""}. The read limit is the mean of before and after a model.`);
    console.log(`Medians of ${options.r} alternating rounds (minimum–maximum), tokens per second.\n`);
    row("model", "test", "Quern", "llama.cpp", "Quern / llama.cpp", "read limit, GB/s", "Quern's share of it");
    row("---", "---", "---:", "---:", "---:", "---:", "---:");
  }

  const ratio = (own, peer) => (median(own) / median(peer)).toFixed(2);
  if (alone) row(name, `prompt ${options.p}`, show(pp.quern, 1), show(pp.peer, 1), ratio(pp.quern, pp.peer), "", "");
  if (pp.int8.length) row(name, `prompt ${options.p}, int8 (off by ${(100 * pp.error).toFixed(2)} %)`, show(pp.int8, 1), show(pp.peer, 1), ratio(pp.int8, pp.peer), "", "");
  const share = median(tg.quern) / +options.s * statSync(model).size / 1e9 / read;
  row(name, alone ? "one token" : `a token of ${options.s}`, show(tg.quern, 2), show(tg.peer, 2), ratio(tg.quern, tg.peer), read.toFixed(1), `${Math.round(share * 100)} %`);
}
