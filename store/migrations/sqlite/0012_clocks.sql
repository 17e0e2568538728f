-- Since when a version is enabled with the configuration that it has, in milliseconds since 1970.
ALTER TABLE "workflows" ADD COLUMN "enabledSince" INTEGER;
UPDATE "workflows" SET "enabledSince" = CAST(strftime('%s', "updatedAt") AS INTEGER) * 1000 WHERE "enabled" = 1;
CREATE INDEX "workflows.enabled_type" ON "workflows" ("type") WHERE "enabled" = 1;

-- The enabled versions that start by the clock, as they were when "enabledSince" was this. One that watches a collection has a mark for each
-- of its records; any other has one mark with an empty key.
CREATE TABLE "workflowClocks" (
    "workflowId"   INTEGER PRIMARY KEY REFERENCES "workflows" ("id") ON DELETE CASCADE,
    "enabledSince" INTEGER NOT NULL,
    "collection"   TEXT,
    "fields"       TEXT NOT NULL DEFAULT '[]'
);

-- How far each has come: what is due until "settledUntil" has been started or passed over. "nextAt" is when to ask again; NULL is never.
CREATE TABLE "workflowMarks" (
    "workflowId"   INTEGER NOT NULL REFERENCES "workflows" ("id") ON DELETE CASCADE,
    "recordKey"    TEXT NOT NULL DEFAULT '',
    "settledUntil" INTEGER NOT NULL,
    "runs"         INTEGER NOT NULL DEFAULT 0,
    "nextAt"       INTEGER,
    PRIMARY KEY ("workflowId", "recordKey")
) WITHOUT ROWID;
CREATE INDEX "workflowMarks.nextAt" ON "workflowMarks" ("nextAt") WHERE "nextAt" IS NOT NULL;
