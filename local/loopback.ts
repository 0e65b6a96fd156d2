const LOOPBACK = ["127.0.0.1", "localhost", "::1"];

/**
 * Makes this process, and what it starts, reach our own servers directly where a proxy is set for the
 * rest of the world: gRPC and HTTP clients alike would otherwise ask the proxy for 127.0.0.1.
 */
export function bypassProxyOnLoopback(env: NodeJS.ProcessEnv = process.env): void {
  const listed = (env.NO_PROXY ?? env.no_proxy ?? "").split(",").map((host) => host.trim());
  const all = [...new Set([...listed, ...LOOPBACK])].filter((host) => host !== "").join(",");
  env.NO_PROXY = all;
  env.no_proxy = all;
}
