-- What the hosts that work on one database have to know of each other's changes: of workflows and plugins, oldest first.
CREATE TABLE "_hostChanges" (
    "version" bigint PRIMARY KEY NOT NULL,
    "change"  text COLLATE "C" NOT NULL
);

-- Counts them; whoever adds some holds its row, so that versions rise in the order of the commits.
CREATE TABLE "_hostVersion" (
    "version" bigint NOT NULL
);
INSERT INTO "_hostVersion" VALUES (0);
