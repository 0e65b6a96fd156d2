import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { PROVIDERS } from "../activities/agent/providers.js";
import { readConfig } from "../config.js";
import { packageRoot } from "../package-root.js";

interface Service {
  image: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
}

const read = (path: string) => readFileSync(join(packageRoot, path), "utf8");
const compose: { services: Record<string, Service> } = parse(read("docker-compose.yml"), { merge: true });
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build !== undefined);

/** Every variable that `config.ts` reads, by the lines that declare them. */
/** Of the agents that the image carries. */
const { credentials } = PROVIDERS.claude;
const settings = [...read("config.ts").matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map(([, name = ""]) => name);

describe("docker-compose.yml", () => {
  test("is a Compose file", () => {
    const { $schema: _, ...schema } = JSON.parse(read("test/schemas/compose-spec.json"));
    const ajv = new Ajv({ strict: false, allErrors: true, formats: { ports: true, expose: true } });
    addFormats.default(ajv);
    const validate = ajv.compile(schema);

    expect(validate(compose) || validate.errors).toBe(true);
  });

  test.each(services)("%s has an image of one version", (_, { image }) => {
    expect(image).toMatch(/:\d+\.\d+[\w.-]*$/);
  });

  test.each(services)("%s waits only for services that there are", (_, { depends_on = {} }) => {
    expect(services.map(([name]) => name)).toEqual(expect.arrayContaining(Object.keys(depends_on)));
  });

  test.each(ours)("%s runs a file that the build makes", (_, { command = [] }) => {
    const [program, script = ""] = command;

    expect(program).toBe("node");
    expect(script).toMatch(/^dist\/local\/[a-z-]+\.js$/);
    expect(existsSync(join(packageRoot, script.replace(/^dist\/(.*)\.js$/, "$1.ts")))).toBe(true);
  });

  test.each(ours)("%s is given nothing but settings that there are, and credentials of agents", (_, { environment = {} }) => {
    expect([...settings, ...credentials]).toEqual(expect.arrayContaining(Object.keys(environment)));
  });

  test.each(ours)("%s starts with what it is given, when only the password is set", (_, { environment = {} }) => {
    const env = Object.fromEntries(Object.entries(environment).map(([name, text]) => [name, filledIn(text)]));

    expect(readConfig(env)).toMatchObject({
      home: "/var/lib/longhaul",
      databaseUrl: "postgres://longhaul:secret@postgres:5432/longhaul",
      temporalAddress: "temporal:7233",
      token: undefined,
      auth: "token",
    });
  });

  test("keeps what the API and the worker share in one place", () => {
    const homes = ours.map(([, service]) => (service as Service & { volumes: string[] }).volumes);

    expect(new Set(homes.map((volumes) => JSON.stringify(volumes))).size).toBe(1);
  });
});

describe("Dockerfile", () => {
  const lines = read("Dockerfile").split("\n");

  test("builds on images of one version, with glibc", () => {
    const images = lines.filter((line) => line.startsWith("FROM ")).map((line) => line.split(" ")[1]);

    expect(images.length).toBeGreaterThan(1);
    for (const image of images) expect(image).toMatch(/^node:\d+\.\d+\.\d+-[a-z]+-slim$/);
  });

  test("runs as an ordinary user", () => {
    expect(lines.filter((line) => line.startsWith("USER "))).toEqual(["USER node"]);
  });

  test("copies what is there", () => {
    const copied = lines
      .filter((line) => line.startsWith("COPY ") && !line.includes("--from"))
      .flatMap((line) => line.split(" ").slice(1, -1));

    expect(copied.filter((path) => !existsSync(join(packageRoot, path)))).toEqual([]);
  });
});

/** `${NAME}` as Compose fills it in while nothing but the password is set. */
function filledIn(text: string): string {
  return text.replace(/\$\{([A-Z_]+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, rest = "") => {
    if (name === "POSTGRES_PASSWORD") return "secret";
    return kind === "-" ? rest : "";
  });
}
