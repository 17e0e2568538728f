-- What all hosts of this database have to have in common.

-- A fingerprint of the secret that they sign tokens with; one row at most.
CREATE TABLE "_tokenSecret" (
    "one"         bigint PRIMARY KEY NOT NULL CHECK ("one" = 1),
    "fingerprint" text COLLATE "C" NOT NULL
);

-- The plugins that a running host was told to switch on or off, which counts more than what a host's own manifest says.
CREATE TABLE "_pluginSwitches" (
    "plugin"  text COLLATE "C" PRIMARY KEY NOT NULL,
    "enabled" bigint NOT NULL
);
