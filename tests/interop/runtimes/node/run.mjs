// One session of ONNX Runtime for Node.js or for the web, told what to do in lines of JSON: see adapters/process.py.
// node run.mjs PACKAGE MODEL.onnx

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [, , name, path] = process.argv;
const require = createRequire(pathToFileURL(`${process.env.NODE_PATH}/`));
const ort = require(name);
const KINDS = {
    f32: { type: "float32", array: Float32Array },
    bool: { type: "bool", array: Uint8Array },
    i64: { type: "int64", array: BigInt64Array },
};
if (ort.env?.wasm) ort.env.wasm.numThreads = 1;

const session = await ort.InferenceSession.create(readFileSync(path), { intraOpNumThreads: 1 });

const decode = ({ shape, type, hex }) => {
    const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
    return new ort.Tensor(KINDS[type].type, new KINDS[type].array(bytes.buffer), shape);
};
const encode = ({ dims, type, data }) => {
    const kind = Object.keys(KINDS).find((kind) => KINDS[kind].type === type);
    return { shape: dims, type: kind, hex: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex") };
};
const each = (values, f) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, f(value)]));

async function answer({ inputs, repeat }) {
    if (!inputs) return {};
    const feed = each(inputs, decode);
    if (!repeat) return { outputs: each(await session.run(feed), encode) };
    const times = [];
    for (let i = 0; i < repeat; i++) {
        const start = process.hrtime.bigint();
        await session.run(feed);
        times.push(Number(process.hrtime.bigint() - start));
    }
    return { microseconds: times.slice(repeat / 4).sort((a, b) => a - b)[Math.floor((repeat * 3) / 8)] / 1000 };
}

for await (const line of createInterface({ input: process.stdin })) {
    let said;
    try {
        said = await answer(JSON.parse(line));
    } catch (error) {
        said = { error: String(error) };
    }
    process.stdout.write(`${JSON.stringify(said)}\n`);
}
