// The workloads on Node's promises. Call: node node.mjs WORKLOAD [SIZE] [VARIANT]
//
// Where a workload has two good readings the plain one is the quicker. The variants:
// - `immediate`: `switch` waits for setImmediate, a turn of the event loop; plainly it waits for a
//   microtask, which lets no timer and no I/O in between.
// - `async`: each of the `sleepers` is an async function that awaits its timer, as it is in the
//   other languages; plainly it is nothing but the timer's promise.
// - `fetch`: `http` goes through fetch, which is undici; plainly through node:http and its Agent.

import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";

const count = (base, ...factors) =>
  Math.max(1, Math.floor(factors.reduce((a, b) => a * b, base) + 0.5));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const check = (ok) => { if (!ok) throw new Error("wrong result"); };
const peakKb = () => Number(readFileSync("/proc/self/status", "utf8").match(/VmHWM:\s*(\d+)/)[1]);

const [name, sizeText, variant] = process.argv.slice(2);

// A first-in first-out list on a ring of fixed capacity, with the promises of those who wait.
class Queue {
  constructor(capacity) {
    this.ring = new Array(capacity);
    this.capacity = capacity;
    this.head = 0;
    this.length = 0;
    this.getter = null;
    this.putter = null;
  }

  // Where nothing has to wait these give a plain value: an await of that is one microtask, and
  // no promise is made.
  put(item) {
    return this.length < this.capacity ? this.#put(item) : this.#putLater(item);
  }

  get() {
    return this.length > 0 ? this.#get() : this.#getLater();
  }

  async #putLater(item) {
    while (this.length === this.capacity) await new Promise((resolve) => { this.putter = resolve; });
    this.#put(item);
  }

  async #getLater() {
    while (this.length === 0) await new Promise((resolve) => { this.getter = resolve; });
    return this.#get();
  }

  #put(item) {
    let at = this.head + this.length++;
    if (at >= this.capacity) at -= this.capacity;
    this.ring[at] = item;
    if (this.getter) {
      this.getter();
      this.getter = null;
    }
  }

  #get() {
    const item = this.ring[this.head];
    if (++this.head === this.capacity) this.head = 0;
    this.length--;
    if (this.putter) {
      this.putter();
      this.putter = null;
    }
    return item;
  }
}

let roundNumber = 0;

let http, agent; // loaded and made when they are needed

const getText = (url) => new Promise((resolve, reject) => {
  http.get(url, { agent }, (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (piece) => { body += piece; });
    response.on("end", () => resolve([response.statusCode, body]));
    response.on("error", reject);
  }).on("error", reject);
});

const fetchText = async (url) => {
  const response = await fetch(url);
  return [response.status, await response.text()];
};

const workloads = {
  async spawn(size, share) {
    const tasks = count(1000, size), rounds = count(300, share);
    const f = async (i) => i;
    for (let k = 0; k < rounds; k++) {
      const list = [];
      for (let i = 0; i < tasks; i++) list.push(f(i));
      const results = await Promise.all(list);
      check(results[tasks - 1] === tasks - 1);
    }
    return [tasks * rounds];
  },

  async switch(size, share) {
    const tasks = count(100, size), rounds = count(5000, share);
    const turn = async () => {
      for (let i = 0; i < rounds; i++) await new Promise((resolve) => setImmediate(resolve));
    };
    const microtask = async () => {
      for (let i = 0; i < rounds; i++) await null;
    };
    await Promise.all(Array.from({ length: tasks }, variant === "immediate" ? turn : microtask));
    return [tasks * rounds];
  },

  async sleepers(size) {
    const tasks = count(100000, size);
    const timer = (i) => sleep(i % 1000);
    const task = async (i) => { await sleep(i % 1000); };
    const sleeper = variant === "async" ? task : timer;
    const list = [];
    for (let i = 0; i < tasks; i++) list.push(sleeper(i));
    await Promise.all(list);
    return [tasks];
  },

  async queue(size, share) {
    const items = count(300000, size, share);
    const queue = new Queue(count(100, size));
    const producer = async () => {
      for (let i = 0; i < items; i++) await queue.put(i);
    };
    const consumer = async () => {
      let item;
      for (let i = 0; i < items; i++) item = await queue.get();
      return item;
    };
    const [, last] = await Promise.all([producer(), consumer()]);
    check(last === items - 1);
    return [items];
  },

  async chain(size, share) {
    const rounds = count(100000, size, share), depth = 10;
    const down = async (n) => (n === 1 ? n : await down(n - 1));
    for (let i = 0; i < rounds; i++) await down(depth);
    return [rounds * depth];
  },

  async waitfor(size, share) {
    const rounds = count(50000, size, share);
    const quick = async () => { await null; };
    const waitFor = (promise, ms) => new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("timeout")), ms);
      promise.then(
        (value) => { clearTimeout(timer); resolve(value); },
        (error) => { clearTimeout(timer); reject(error); },
      );
    });
    for (let i = 0; i < rounds; i++) await waitFor(quick(), 10000);
    return [rounds];
  },

  async files(size, share) {
    const files = count(1000, size), rounds = count(10, share);
    const data = Buffer.alloc(4096, "x");
    let folder, next;
    const worker = async () => {
      while (next < files) {
        const path = `${folder}/${next++}`;
        await writeFile(path, data);
        check((await readFile(path)).length === data.length);
      }
    };
    for (let i = 0; i < rounds; i++) {
      folder = `${process.env.BENCH_DIR}/${++roundNumber}`;
      next = 0;
      await mkdir(folder);
      await Promise.all(Array.from({ length: 64 }, worker));
    }
    return [files * rounds];
  },

  async http(size, share) {
    const requests = count(10000, size, share);
    const url = process.env.BENCH_URL, expected = "0123456789".repeat(10);
    http ??= await import("node:http");
    agent ??= new http.Agent({ keepAlive: true, maxSockets: 100 });
    let left = requests;
    const worker = async () => {
      while (left-- > 0) {
        const [status, body] = await (variant === "fetch" ? fetchText(url) : getText(url));
        check(status === 200 && body === expected);
      }
    };
    await Promise.all(Array.from({ length: 100 }, worker));
    return [requests];
  },

  async park(size) {
    const tasks = count(1000000, size);
    let set;
    const event = new Promise((resolve) => { set = resolve; });
    const waiter = async (i) => {
      await event;
      return i;
    };
    const before = process.memoryUsage.rss();
    const list = [];
    for (let i = 0; i < tasks; i++) list.push(waiter(i));
    const parked = process.memoryUsage.rss();
    set();
    const results = await Promise.all(list);
    check(results[tasks - 1] === tasks - 1);
    return [tasks, (parked - before) / tasks];
  },
};

const warm = new Set(["spawn", "switch", "queue", "chain", "waitfor", "files", "http"]);
const size = Number(sizeText ?? 1);
const work = workloads[name];
if (!work || !(size > 0)) throw new Error("usage: node.mjs WORKLOAD [SIZE] [VARIANT]");
if (warm.has(name)) await work(size, 0.1);
const wallStart = process.hrtime.bigint();
const cpuStart = process.cpuUsage();
const [ops, bytes] = await work(size, 1);
const cpu = process.cpuUsage(cpuStart);
const wall = Number(process.hrtime.bigint() - wallStart);
const extra = bytes === undefined ? "" : ` bytes_per_op=${bytes.toFixed(1)}`;
console.log(`workload=${name} ops=${ops}`
  + ` ns_per_op=${((cpu.user + cpu.system) * 1000 / ops).toFixed(2)}`
  + ` wall_ns_per_op=${(wall / ops).toFixed(2)}${extra} rss_kb=${peakKb()}`);
