-- Messages of further databases whose executions are stored: each is taken once, however often it is found. "takenAt" is in milliseconds
-- since 1970.
CREATE TABLE "outboxReceipts" (
    "source"  text COLLATE "C" NOT NULL,
    "id"      text COLLATE "C" NOT NULL,
    "takenAt" bigint NOT NULL,
    PRIMARY KEY ("source", "id")
);
CREATE INDEX "outboxReceipts.takenAt" ON "outboxReceipts" ("source", "takenAt");
