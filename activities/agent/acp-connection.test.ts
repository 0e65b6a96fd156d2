import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { z } from "zod";
import { AcpConnection, METHOD_NOT_FOUND, RpcError } from "./acp-connection.js";

const Said = z.object({ said: z.string() });

test("pairs answers with what was asked, in any order, and passes over what is no message", async () => {
  const { connection, agent } = connect();
  const asked = [connection.request("first", {}, Said), connection.request("second", {}, Said)];
  agent.says("Warming up…", "{not json}", '{"id":2,"result":{"said":"b"}}', '{"id":1,"result":{"said":"a"}}');

  expect(await Promise.all(asked)).toEqual([{ said: "a" }, { said: "b" }]);
  expect(agent.heard()).toMatchObject([{ id: 1, method: "first" }, { id: 2, method: "second" }]); // biome-ignore format: one line is clearer
});

test("throws what the agent answers with", async () => {
  const { connection, agent } = connect();
  const asked = connection.request("first", {}, Said);
  agent.says('{"id":1,"error":{"code":429,"message":"Too many","data":"later"}}');

  await expect(asked).rejects.toMatchObject({ code: 429, message: "Too many", data: "later" });
});

test("answers what the agent asks, and says of what it does not have that it does not", async () => {
  const { agent } = connect();
  agent.says('{"id":"x","method":"yes"}', '{"id":"y","method":"no"}');
  await expect.poll(() => agent.heard()).toHaveLength(2);

  expect(agent.heard()).toMatchObject([
    { id: "x", result: {} },
    { id: "y", error: { code: METHOD_NOT_FOUND, message: "There is none." } },
  ]);
});

test("ends with what it is told in vain: whoever waits learns it", async () => {
  const { connection, agent } = connect();
  const asked = connection.request("first", {}, Said);
  agent.says('{"method":"bad"}', '{"id":1,"result":{"said":"late"}}');

  await expect(asked).rejects.toThrow("It cannot be written down.");
  await expect(connection.request("second", {}, Said)).rejects.toThrow("It cannot be written down.");
});

function connect() {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const connection = new AcpConnection(input, output, {
    asked: async (method) => {
      if (method === "no") throw new RpcError(METHOD_NOT_FOUND, "There is none.");
    },
    told: (method) => {
      if (method === "bad") throw new Error("It cannot be written down.");
    },
  });
  let heard = "";
  input.on("data", (data) => {
    heard += data;
  });
  const agent = {
    says: (...lines: string[]) => output.write(lines.map((line) => `${line}\n`).join("")),
    heard: () => heard.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)])),
  };
  return { connection, agent };
}
