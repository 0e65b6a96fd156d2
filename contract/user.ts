import { z } from "zod";
import { Time } from "./time.js";

export const USER_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** How a person is called in answers, comments and lists of approvers. */
export const UserId = z.string().regex(USER_ID, "is no user: small letters, digits, _ and -, 64 at most, such as ana");

/** Somebody with a name of their own. */
export const User = z.object({ id: UserId, name: z.string(), created_at: Time });
export type User = z.infer<typeof User>;

/** A token, as it is shown once. */
export const UserToken = z.object({ user_id: UserId, token: z.string() });
export type UserToken = z.infer<typeof UserToken>;
