import type { z } from "zod";
import type { ApprovalAnswer } from "../contract/approval.js";
import type { StepOptions } from "./context.js";

/** What is asked of people, of whom, and how long. */
export interface ApproveOptions<Fields extends z.ZodType = z.ZodType>
  extends Pick<StepOptions, "name" | "phase" | "retry" | "if"> {
  /** What the person is to decide. */
  message: string;
  /** What the answer has to fill in: a zod schema or a JSON schema. What JSON schema cannot say of a zod schema is not checked. */
  fields?: Fields | Record<string, unknown>;
  /** Milliseconds, or a text such as `"2 days"`, from when the step begins to wait; a pause does not stop it. @default none */
  deadline?: number | string;
  /** The answer when nobody has answered by then. @default none: the step fails as `approval_timed_out` */
  default?: "approve" | "reject";
  /** Ids of the users who may answer; others are refused. @default anybody */
  approvers?: string[];
  /** Different people who must approve. @default 1 */
  required?: number;
  /** Different people who must reject; fewer do when too few are left who could approve. @default 1 */
  rejections?: number;
  /** Milliseconds, or a text such as `"4 hours"`, a second at least: as often an event and a comment remind of it, 500 times at most. @default never */
  remindEvery?: number | string;
}

/** The answer that decided, with the fields that the schema asked for; `comment` is its reason. `answers` are all of them, where it takes several people. */
export interface Approval<Fields = unknown> extends Omit<ApprovalAnswer, "fields"> {
  fields?: Fields;
}

/** How an event is waited for. `name` is how people see the step, and its key. */
export interface WaitForEventOptions extends Pick<StepOptions, "name" | "phase" | "retry" | "if"> {
  /** Milliseconds, or a text such as `"2 hours"`, from when the step begins to wait; a pause does not stop it. @default none */
  deadline?: number | string;
}

/** How a run of another workflow is started. */
export interface ChildOptions extends Pick<StepOptions, "name" | "phase" | "retry" | "if"> {
  /** The step's key. @default the workflow, as it is given */
  key?: string;
  /** How people see the run. @default the workflow's name */
  runName?: string;
  /** A tree of its own, or this run's. @default "own" */
  workspace?: "own" | "parent";
  /** Where a tree of its own begins. @default what the project has checked out */
  baseBranch?: string;
}
