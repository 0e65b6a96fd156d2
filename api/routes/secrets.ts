import { z } from "zod";
import { Id } from "../../contract/id.js";
import { KeptSecret, Secret, SecretName, SecretValue, warningsOf } from "../../contract/secret.js";
import { recordAudit } from "../../db/audit.js";
import { getProject } from "../../db/projects.js";
import { SecretBox } from "../../db/secret-box.js";
import { getSecret, listSecrets, putSecret, removeSecret } from "../../db/secrets.js";
import type { ApiContext } from "../context.js";
import { ById, onePlace, pageFields } from "../fields.js";
import { gone, listed, Many, One, ok, type Route, route } from "../route.js";

const OfProject = z.strictObject({ id: Id, name: SecretName });

/** A project's secrets. No answer holds a value. */
export function secretRoutes({ db, config }: ApiContext): Route[] {
  return [
    route({
      method: "get",
      path: "/:id/secrets",
      summary: "List the names of a project's secrets",
      params: ById,
      query: z.strictObject(pageFields),
      refine: onePlace,
      answers: { 200: Many(Secret) },
      handle: async ({ params, query }) => {
        await getProject(db, params.id);
        return listed(await listSecrets(db, params.id, query));
      },
    }),
    route({
      method: "get",
      path: "/:id/secrets/:name",
      summary: "Whether a project has a secret, and since when; never its value",
      params: OfProject,
      answers: { 200: One(Secret) },
      handle: async ({ params }) => {
        await getProject(db, params.id);
        return ok(await getSecret(db, params.id, params.name));
      },
    }),
    route({
      method: "put",
      path: "/:id/secrets/:name",
      summary: "Set a secret, or change it",
      params: OfProject,
      body: z.strictObject({ value: SecretValue }),
      answers: { 200: One(KeptSecret) },
      handle: async ({ params, body, user }) => {
        const { id, name } = params;
        await getProject(db, id);
        const sealed = await new SecretBox(config.home).seal(body.value, { project_id: id, name });
        const kept = await putSecret(db, id, name, sealed);
        await recordAudit(db, { user_id: user.id, action: "secret.set", subject: id, data: { name } });
        return ok({ ...kept, warnings: warningsOf(body.value) });
      },
    }),
    route({
      method: "delete",
      path: "/:id/secrets/:name",
      summary: "Remove a secret; steps that name it fail from then on",
      params: OfProject,
      answers: { 204: null },
      handle: async ({ params, user }) => {
        const { id, name } = params;
        await getProject(db, id);
        await removeSecret(db, id, name);
        await recordAudit(db, { user_id: user.id, action: "secret.remove", subject: id, data: { name } });
        return gone;
      },
    }),
  ];
}
