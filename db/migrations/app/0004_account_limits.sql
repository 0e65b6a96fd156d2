CREATE TABLE "app"."account_limits" (
	"provider" text NOT NULL,
	"account" text NOT NULL,
	"model" text,
	"until" timestamp (3) with time zone NOT NULL,
	"message" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "account_limits_of" UNIQUE NULLS NOT DISTINCT("provider","account","model")
);
