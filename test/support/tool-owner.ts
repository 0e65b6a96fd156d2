import { launchFrom } from "../../activities/launcher.js";
import { ProjectServers } from "../../activities/tool/config.js";
import { findServer } from "../../activities/tool/find-server.js";

/** Starts a tool server of a project as a worker does, says so, and lives on. */
const [, , launcher = "", project = "", name = ""] = process.argv;
launchFrom(launcher);
const place = { project_path: project, workspace_path: project };
const server = await findServer(name, place, await ProjectServers.read(place), { builtIn: new Map() }).start();
console.log((await server.tools()).length);
setInterval(() => {}, 60_000);
