import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { promisify } from "node:util";
import type { ChildScript } from "../../local/stack.js";
import { builtFile } from "../../package-root.js";

const run = promisify(execFile);

/** A network namespace of Linux: all that a process in it can reach goes over one link, which can be cut. */
export class Namespace {
  private constructor(
    private readonly name: string,
    /** Of this end of the link, which programs outside listen on. */
    private readonly address: string,
  ) {}

  /** @throws where there are no namespaces: not on Linux, without root, without `ip`. */
  static async create(): Promise<Namespace> {
    const number = randomInt(1, 250);
    const name = `longhaul-${number}`;
    const [here, there] = [`10.213.${number}.1`, `10.213.${number}.2`];
    const namespace = new Namespace(name, here);
    await ip("netns", "add", name);
    try {
      await ip("link", "add", namespace.link, "type", "veth", "peer", "name", "out", "netns", name);
      await ip("addr", "add", `${here}/30`, "dev", namespace.link);
      await ip("-n", name, "addr", "add", `${there}/30`, "dev", "out");
      for (const device of ["lo", "out"]) await ip("-n", name, "link", "set", device, "up");
      await namespace.up();
      return namespace;
    } catch (error) {
      await namespace.remove();
      throw error;
    }
  }

  /** The built worker, in this namespace. */
  worker(): ChildScript {
    return {
      script: builtFile("test/faults/behind-link.js"),
      args: [this.name, this.address, builtFile("local/worker-main.js")],
    };
  }

  /** Packets are lost from now on, and nobody is told. */
  async down(): Promise<void> {
    await ip("link", "set", this.link, "down");
  }

  async up(): Promise<void> {
    await ip("link", "set", this.link, "up");
  }

  /** The link goes with it. Nobody may be in it any more. */
  async remove(): Promise<void> {
    await ip("netns", "del", this.name);
  }

  /** Of this end; a name has 15 characters at most. */
  private get link(): string {
    return `lh-${this.name.slice("longhaul-".length)}`;
  }
}

async function ip(...args: string[]): Promise<void> {
  await run("ip", args);
}
