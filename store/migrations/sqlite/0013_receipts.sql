-- Messages of further databases whose executions are stored: each is taken once, however often it is found. "takenAt" is in milliseconds
-- since 1970.
CREATE TABLE "outboxReceipts" (
    "source"  TEXT NOT NULL,
    "id"      TEXT NOT NULL,
    "takenAt" INTEGER NOT NULL,
    PRIMARY KEY ("source", "id")
) WITHOUT ROWID;
CREATE INDEX "outboxReceipts.takenAt" ON "outboxReceipts" ("source", "takenAt");
