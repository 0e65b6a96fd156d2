import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { ApiError, LonghaulClient, UnexpectedAnswerError, UnreachableError } from "./client.js";

/** A client of a server that answers as it is told. */
async function clientOf(answer: RequestListener): Promise<LonghaulClient> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return new LonghaulClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, token: "a-token" });
}

const frame = (seq: number, more = "") =>
  `id: ${seq}\nevent: a\ndata: ${JSON.stringify({ type: `é${more}`, run_id: "r", seq, at: "2025-01-25T10:00:00.000Z", data: {} })}\n\n`;

test("reads a stream of events wherever it is cut, from the place that was asked for", async () => {
  const client = await clientOf(async (req, res) => {
    expect(req.headers).toMatchObject({ "last-event-id": "4", authorization: "Bearer a-token" });
    res.writeHead(200, { "content-type": "text/event-stream" });
    for (const byte of Buffer.from(
      `: ping\n\n${frame(5)}event: x\ndata: {"type":"unknown shape"}\n\n${frame(6)}id: 7\nevent: cut`,
    )) {
      res.write(Uint8Array.of(byte));
      if (byte > 127) await new Promise((resolve) => setImmediate(resolve));
    }
    res.end();
  });

  const seen = [];
  for await (const { seq, type } of client.events("r", { after: 4 })) seen.push([seq, type]);
  expect(seen).toEqual([
    [5, "é"],
    [6, "é"],
  ]);
});

test("a stream that breaks off is a lost connection, one that ends is not", async () => {
  const client = await clientOf((_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(frame(1), () => res.destroy());
  });

  const seen: unknown[] = [];
  const reading = (async () => {
    for await (const { seq } of client.events("r")) seen.push(seq);
  })();
  await expect(reading).rejects.toBeInstanceOf(UnreachableError);
  expect(seen).toEqual([1]);
});

test("a list is read page by page, and no further than is wanted", async () => {
  const asked: string[] = [];
  const client = await clientOf((req, res) => {
    const query = new URL(req.url ?? "", "http://x").searchParams;
    asked.push(String(query));
    const from = Number(query.get("cursor") ?? 0);
    const limit = Math.min(2, Number(query.get("limit")));
    const data = Array.from({ length: limit }, (_, i) => from + i);
    res.end(JSON.stringify({ data, page: { limit, number: null, total: 100, next_cursor: String(from + limit) } }));
  });

  expect(await client.all("/things", z.int(), { q: "a b" }, 5)).toEqual([0, 1, 2, 3, 4]);
  expect(asked).toEqual(["q=a+b&limit=5", "q=a+b&limit=3&cursor=2", "q=a+b&limit=1&cursor=4"]);
});

test("an error of the API keeps its status, word and problems", async () => {
  const errors = [{ path: "input.to", message: "must be a number" }];
  const problem = { type: "about:blank", title: "No.", status: 400, detail: "The input does not fit.", code: "invalid", errors };
  const client = await clientOf((_req, res) => res.writeHead(400).end(JSON.stringify(problem)));

  const failure = await client.post("/x", z.int(), {}).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ApiError);
  expect(failure).toMatchObject({ status: 400, code: "invalid", message: "The input does not fit.", problems: errors });
});

test("what is not Longhaul is told from what is not there", async () => {
  const other = await clientOf((_req, res) => res.writeHead(200).end("<html>"));
  await expect(other.get("/x", z.int())).rejects.toBeInstanceOf(UnexpectedAnswerError);

  const gone = new LonghaulClient({ url: "http://127.0.0.1:1", token: null });
  await expect(gone.get("/x", z.int())).rejects.toBeInstanceOf(UnreachableError);
});
