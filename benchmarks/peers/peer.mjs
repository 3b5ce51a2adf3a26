// One measurement of llama.cpp through npm's node-llama-cpp, one JSON line: prompt speed, and the speed of tokens behind that prompt; or, with several sequences, the speed of all together.
// usage: node peer.mjs MODEL.gguf PROMPT TOKENS THREADS SEQUENCES
import {readFileSync} from "node:fs";
import {pathToFileURL} from "node:url";
import {join} from "node:path";

const [file, ...numbers] = process.argv.slice(2), [prompt, tokens, threads, sequences] = numbers.map(Number);
const folder = process.env.PEER_FOLDER;
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(join(folder, "node_modules/node-llama-cpp/dist/index.js")));
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: threads});
const model = await llama.loadModel({modelPath: file});
const context = await model.createContext({contextSize: prompt + tokens + 16, sequences, batchSize: Math.max(prompt, 32), threads, flashAttention: true});
const all = Array.from({length: sequences}, () => context.getSequence());
let pp = 0, tg = 0;
for (let round = 0; round < 2; round++) { // the first warms up
  let start = performance.now(), generated = 0, begun = 0, first = null, last = null;
  await Promise.all(all.map(async (sequence, s) => {
    await sequence.clearHistory();
    const ids = Array.from({length: prompt}, (_, i) => 100 + (s + i * 7919) % 400);
    let n = 0;
    for await (const _ of sequence.evaluate(ids, {temperature: 0, yieldEogToken: true})) {
      generated++;
      if (n++ === 0 && ++begun === sequences) first = {time: performance.now(), generated};
      if (n > tokens) break;
    }
    last ??= {time: performance.now(), generated}; // in between, every step computes a token of each
  }));
  pp = prompt * sequences / ((first.time - start) / 1000);
  tg = (last.generated - first.generated) / ((last.time - first.time) / 1000);
}
const version = JSON.parse(readFileSync(join(folder, "node_modules/node-llama-cpp/package.json"), "utf8")).version;
console.log(JSON.stringify({pp, tg, version, system: llama.systemInfo?.trim()}));
process.exit(0);
