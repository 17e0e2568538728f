-- How far the copy of another database into this one has come. Without a row this database is no copy.
CREATE TABLE "_transfer" (
    "source"      text COLLATE "C" NOT NULL,
    "startedAt"   text COLLATE "C" NOT NULL,
    "completedAt" text COLLATE "C"
);

-- What is copied, as it was in the source when the copy was begun. "cursor" is where the next batch begins, JSON.
CREATE TABLE "_transferTables" (
    "name"   text COLLATE "C" PRIMARY KEY NOT NULL,
    "rows"   bigint NOT NULL,
    "digest" text COLLATE "C" NOT NULL,
    "copied" bigint NOT NULL DEFAULT 0,
    "cursor" text COLLATE "C",
    "done"   bigint NOT NULL DEFAULT 0
);
