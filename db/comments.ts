import { and, count, desc, eq, lt, or, type SQL } from "drizzle-orm";
import type { Comment } from "../contract/comment.js";
import { NotFoundError } from "../contract/errors.js";
import type { PageQuery } from "../contract/page.js";
import { artifactsOfComments } from "./artifacts.js";
import type { Database } from "./database.js";
import { type Listed, momentAndId, sliceOf, toPage } from "./page.js";
import { comments, users } from "./schema.js";
import { iso } from "./time.js";

interface CommentWithCreator {
  comment: typeof comments.$inferSelect;
  creator: { id: string; name: string } | null;
}

export interface CommentFilter extends PageQuery {
  step_id?: string | undefined;
}

/** Newest first. */
export async function listComments(db: Database, runId: string, filter: CommentFilter): Promise<Listed<Comment>> {
  const { limit, offset } = sliceOf(filter);
  const from = filter.cursor === undefined ? undefined : momentAndId(filter.cursor);
  const older = from && or(lt(comments.createdAt, from.at), and(eq(comments.createdAt, from.at), lt(comments.id, from.id)));
  const wanted = and(eq(comments.runId, runId), filter.step_id === undefined ? undefined : eq(comments.stepId, filter.step_id));
  const rows = await withCreators(db, and(wanted, older)).limit(limit).offset(offset);
  const [all] = await db.orm.select({ total: count() }).from(comments).where(wanted);
  const attached = await artifactsOfComments(
    db,
    rows.map((row) => row.comment.id),
  );
  return toPage(filter, {
    rows,
    total: all?.total ?? 0,
    placeOf: (row) => [iso(row.comment.createdAt), row.comment.id],
    toItem: (row) => toComment(row, attached.get(row.comment.id) ?? []),
  });
}

/** The last `most` comments of a run or of one of its steps, the oldest of them first. */
export async function lastComments(db: Database, of: { run_id: string } | { step_id: string }, most: number): Promise<Comment[]> {
  const wanted = "run_id" in of ? eq(comments.runId, of.run_id) : eq(comments.stepId, of.step_id);
  const rows = await withCreators(db, wanted).limit(most);
  const attached = await artifactsOfComments(
    db,
    rows.map((row) => row.comment.id),
  );
  return rows.reverse().map((row) => toComment(row, attached.get(row.comment.id) ?? []));
}

/** @throws {NotFoundError} */
export async function getComment(db: Database, id: string): Promise<Comment> {
  const [row] = await withCreators(db, eq(comments.id, id));
  if (!row) throw new NotFoundError("comment", id);
  return toComment(row, (await artifactsOfComments(db, [id])).get(id) ?? []);
}

export async function isCommentOf(db: Database, runId: string, commentId: string): Promise<boolean> {
  const found = await db.orm
    .select({ id: comments.id })
    .from(comments)
    .where(and(eq(comments.id, commentId), eq(comments.runId, runId)));
  return found.length > 0;
}

function withCreators(db: Database, wanted: SQL | undefined) {
  return db.orm
    .select({ comment: comments, creator: { id: users.id, name: users.name } })
    .from(comments)
    .leftJoin(users, eq(users.id, comments.createdBy))
    .where(wanted)
    .orderBy(desc(comments.createdAt), desc(comments.id));
}

function toComment({ comment, creator }: CommentWithCreator, attached: Comment["artifacts"]): Comment {
  const { id, runId, stepId, text, commentType, metadata, createdBy, createdAt, updatedAt } = comment;
  return {
    id,
    run_id: runId,
    workflow_run_id: runId,
    step_id: stepId,
    workflow_run_step_id: stepId,
    text,
    comment_type: commentType,
    metadata,
    created_by: createdBy,
    creator,
    artifacts: attached,
    created_at: iso(createdAt),
    updated_at: iso(updatedAt),
  };
}
