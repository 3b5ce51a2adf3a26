// One measurement of llama.cpp through npm's node-llama-cpp: prompt and one-token speed, one JSON line.
// usage: node peer.mjs MODEL.gguf PROMPT TOKENS THREADS
import {readFileSync} from "node:fs";
import {pathToFileURL} from "node:url";
import {join} from "node:path";

const [file, prompt, tokens, threads] = process.argv.slice(2);
const folder = process.env.PEER_FOLDER;
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(join(folder, "node_modules/node-llama-cpp/dist/index.js")));
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: +threads});
const model = await llama.loadModel({modelPath: file});
const context = await model.createContext({contextSize: +prompt + +tokens + 16, batchSize: +prompt, threads: +threads, flashAttention: true});
const sequence = context.getSequence();
const ids = Array.from({length: +prompt}, (_, i) => 100 + (i * 7919) % 400);
let pp = 0, tg = 0;
for (let round = 0; round < 2; round++) { // the first warms up
  await sequence.clearHistory();
  const start = performance.now();
  let first = 0, n = 0;
  for await (const _ of sequence.evaluate(ids, {temperature: 0, yieldEogToken: true})) {
    if (n++ === 0) first = performance.now();
    if (n > +tokens) break;
  }
  const end = performance.now();
  pp = +prompt / ((first - start) / 1000);
  tg = (n - 1) / ((end - first) / 1000);
}
const version = JSON.parse(readFileSync(join(folder, "node_modules/node-llama-cpp/package.json"), "utf8")).version;
console.log(JSON.stringify({pp, tg, version, system: llama.systemInfo?.trim()}));
process.exit(0);
