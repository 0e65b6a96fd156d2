CREATE TABLE "mirror"."approval_answers" (
	"id" text PRIMARY KEY NOT NULL,
	"run_id" text NOT NULL,
	"step_id" text NOT NULL,
	"request" text,
	"answer" text NOT NULL,
	"by" text,
	"delegate" text,
	"comment" text,
	"fields" jsonb,
	"decided" boolean NOT NULL,
	"at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "mirror"."approval_answers" ADD CONSTRAINT "approval_answers_run_id_runs_id_fk" FOREIGN KEY ("run_id") REFERENCES "mirror"."runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "mirror"."approval_answers" ADD CONSTRAINT "approval_answers_step_id_steps_id_fk" FOREIGN KEY ("step_id") REFERENCES "mirror"."steps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "approval_answers_run" ON "mirror"."approval_answers" USING btree ("run_id","at");--> statement-breakpoint
CREATE INDEX "approval_answers_step" ON "mirror"."approval_answers" USING btree ("step_id");