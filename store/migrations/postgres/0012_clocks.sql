-- Since when a version is enabled with the configuration that it has, in milliseconds since 1970.
ALTER TABLE "workflows" ADD COLUMN "enabledSince" bigint;
UPDATE "workflows" SET "enabledSince" = floor(extract(epoch FROM "updatedAt"::timestamptz) * 1000)::bigint WHERE "enabled" = 1;
CREATE INDEX "workflows.enabled_type" ON "workflows" ("type") WHERE "enabled" = 1;

-- The enabled versions that start by the clock, as they were when "enabledSince" was this. One that watches a collection has a mark for each
-- of its records; any other has one mark with an empty key.
CREATE TABLE "workflowClocks" (
    "workflowId"   bigint PRIMARY KEY REFERENCES "workflows" ("id") ON DELETE CASCADE,
    "enabledSince" bigint NOT NULL,
    "collection"   text COLLATE "C",
    "fields"       text COLLATE "C" NOT NULL DEFAULT '[]'
);

-- How far each has come: what is due until "settledUntil" has been started or passed over. "nextAt" is when to ask again; NULL is never.
CREATE TABLE "workflowMarks" (
    "workflowId"   bigint NOT NULL REFERENCES "workflows" ("id") ON DELETE CASCADE,
    "recordKey"    text COLLATE "C" NOT NULL DEFAULT '',
    "settledUntil" bigint NOT NULL,
    "runs"         bigint NOT NULL DEFAULT 0,
    "nextAt"       bigint,
    PRIMARY KEY ("workflowId", "recordKey")
);
CREATE INDEX "workflowMarks.nextAt" ON "workflowMarks" ("nextAt") WHERE "nextAt" IS NOT NULL;
