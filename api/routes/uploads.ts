import { rename, rm } from "node:fs/promises";
import { z } from "zod";
import { Artifact, type ArtifactRow, ArtifactType, FileType } from "../../contract/artifact.js";
import { InvalidError } from "../../contract/errors.js";
import { newId } from "../../contract/id.js";
import { SIGNAL } from "../../contract/messages.js";
import { findSameArtifact, getArtifact } from "../../db/artifacts.js";
import { placeOf, runFolderPath } from "../../db/run-folder.js";
import { getRunState, type RunState } from "../../db/runs.js";
import { artifactNameProblem } from "../artifact-name.js";
import { textProblems } from "../body.js";
import type { ApiContext } from "../context.js";
import { anyCase, ById } from "../fields.js";
import { canonicalNames } from "../names.js";
import { type Answer, created, One, ok, type Route, route } from "../route.js";
import { Serial } from "../serial.js";
import { tellRun } from "../tell-run.js";
import { receiveUpload, type Upload } from "../upload.js";
import { checkStep } from "./comments.js";
import { StepRowId } from "./run-parts.js";

const Fields = z.strictObject({
  step_id: StepRowId.nullable().default(null),
  name: z.string().optional(),
  type: anyCase(ArtifactType.options).default("other"),
  file_type: anyCase(FileType.options).optional(),
});
type Fields = z.output<typeof Fields>;

/** Which version a name has must not be decided twice at a time. */
const perRun = new Serial();

/** Files that are brought to a run. */
export function uploadRoutes(context: ApiContext): Route[] {
  return [
    route({
      method: "post",
      path: "/:id/artifacts",
      summary: "Bring a file to a run; the same name and bytes again give the same artifact, other bytes a new version",
      params: ById,
      answers: { 200: One(Artifact), 201: One(Artifact) },
      media: { request: "multipart/form-data" },
      handle: async ({ params }, req, res) => {
        const run = await getRunState(context.db, params.id);
        const upload = await receiveUpload(req, res, run);
        try {
          const fields = checkedFields(upload);
          const name = checkedName(fields.name ?? upload.name);
          await checkStep(context, run.id, fields.step_id);
          return await perRun.run(run.id, () => keep(context, { run, upload, fields, name }));
        } finally {
          await rm(upload.temporary, { force: true });
        }
      },
    }),
  ];
}

async function keep(
  context: ApiContext,
  { run, upload, fields, name }: { run: RunState; upload: Upload; fields: Fields; name: string },
): Promise<Answer> {
  const { sha256, size, mimeType } = upload;
  const { same, newest } = await findSameArtifact(context.db, { run_id: run.id, name, sha256 });
  if (same) return ok(same);

  const id = newId("art");
  const place = `artifacts/${id}/${name}`;
  await rename(upload.temporary, await placeOf(run.project_path, run.id, place));
  const artifact: ArtifactRow = {
    id,
    run_id: run.id,
    step_id: fields.step_id,
    agent_session_id: null,
    name,
    file_path: `${runFolderPath(run.id)}/${place}`,
    type: fields.type,
    file_type: fields.file_type ?? fileTypeOf(mimeType),
    mime_type: mimeType,
    size_bytes: size,
    sha256,
    version: newest + 1,
    metadata: {},
  };
  const at = new Date().toISOString();
  await tellRun(context, run, {
    signal: SIGNAL.artifact,
    message: { at, artifact },
    fact: { type: "artifact.created", run_id: run.id, at, artifact },
  });
  return created(`/api/artifacts/${id}`, (await getArtifact(context.db, id)).artifact);
}

/** @throws {InvalidError} naming every field that is wrong. */
function checkedFields(upload: Upload): Fields {
  const text = textProblems(upload.fields);
  if (text.length > 0) throw new InvalidError("A field holds what cannot be kept.", text);
  const parsed = Fields.safeParse(canonicalNames(upload.fields, Fields, { workflow_run_step_id: "step_id" }));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
  throw new InvalidError("The fields beside the file are not right.", problems);
}

function checkedName(name: string): string {
  const problem = artifactNameProblem(name);
  if (problem === null) return name;
  throw new InvalidError(`The file's name ${problem}.`, [{ path: "name", message: problem }]);
}

function fileTypeOf(mimeType: string): FileType {
  if (mimeType.startsWith("image/")) return "image";
  if (mimeType.startsWith("video/")) return "video";
  if (/^application\/(pdf|msword|vnd\.)|^text\/(plain|markdown|html)/.test(mimeType)) return "document";
  return /^text\/|javascript|typescript|json|xml|yaml/.test(mimeType) ? "code" : "other";
}
